"""Fetching: every source in order until one gives the file whose hash is right."""

import os
import shutil
import tempfile
from pathlib import Path

from declaim.assets.cache import PARTIAL_SUFFIX, OnBytes, asset_folder, disk_faults, is_right, locate, locked
from declaim.assets.manifest import Asset, AssetFile, Source, Web, lookup
from declaim.assets.packages import Unpacker
from declaim.assets.web import download
from declaim.errors import AssetError, CapacityError

_SCRATCH_PREFIX = ".scratch-"
_SPARE_BYTES = 16 << 20


def pull(name: str, on_step: OnBytes | None = None, *, folder: Path | None = None) -> Path:
    """Make an asset complete on this machine and return its place (see ``locate``).

    Files that are already right stay; begun ones go on; wrong ones are replaced. Two processes may pull the same
    asset: one fetches, the other waits and finds it done.

    Args:
        name: of the asset.
        on_step: called with (bytes done, bytes in all) of the asset.
        folder: look for the files here, by name, instead of on the network (for machines without one).

    Raises:
        AssetError: unknown asset; no source has the right file; the cache folder cannot be written.
        CapacityError: the disk is full.
    """
    asset = lookup(name)
    report = _rising(on_step or _ignore)
    if not _complete(asset):
        with locked(name):
            _pull_files(asset, report, folder)
    report(asset.n_bytes, asset.n_bytes)
    return locate(name)


def _ignore(done: int, total: int) -> None:
    """No one is watching."""


def _rising(on_step: OnBytes) -> OnBytes:
    """The hook without steps backwards (a source that fails half-way, a client that moves its files)."""
    most = 0

    def report(done: int, total: int) -> None:
        nonlocal most
        most = max(most, done)
        on_step(most, total)

    return report


def _complete(asset: Asset) -> bool:
    return all(is_right(asset_folder(asset.name) / file.name, file) for file in asset.files)


def _pull_files(asset: Asset, report: OnBytes, folder: Path | None) -> None:
    home = asset_folder(asset.name)
    with disk_faults(home):
        home.mkdir(parents=True, exist_ok=True)
        for leftover in home.glob(f"{_SCRATCH_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed: we hold the lock
        wanted = [file for file in asset.files if not is_right(home / file.name, file)]
        _demand_space(home, wanted)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH_PREFIX, dir=home, ignore_cleanup_errors=True) as scratch:
            unpacker = Unpacker(Path(scratch))
            done = asset.n_bytes - sum(file.n_bytes for file in wanted)
            for file in wanted:

                def on_bytes(here: int, _: int, before: int = done) -> None:
                    report(before + here, asset.n_bytes)

                if folder is not None:
                    _copy(folder / file.name, home / file.name, file)
                else:
                    _fetch(asset, file, unpacker, on_bytes)
                done += file.n_bytes


def _demand_space(home: Path, wanted: list[AssetFile]) -> None:
    """Twice the size, because a package's archive lies beside the file for a moment."""
    needed = 2 * sum(file.n_bytes for file in wanted) + _SPARE_BYTES
    free = shutil.disk_usage(home).free
    if wanted and free < needed:
        raise CapacityError(
            f"fetching needs {needed >> 20} MiB free where {home} lies, there are {free >> 20} MiB; "
            "free some space or point DECLAIM_HOME to another disk"
        )


def _fetch(asset: Asset, file: AssetFile, unpacker: Unpacker, on_bytes: OnBytes) -> None:
    path = asset_folder(asset.name) / file.name
    faults = []
    for source in file.sources:
        try:
            _fetch_from(source, path, file, unpacker, on_bytes)
        except AssetError as fault:
            faults.append(str(fault))
        else:
            return
    raise AssetError(
        f"cannot fetch {asset.name}/{file.name}: {'; '.join(faults)}. Check the network, or put the file into a "
        f"folder and run: declaim assets pull {asset.name} --from FOLDER"
    )


def _fetch_from(source: Source, path: Path, file: AssetFile, unpacker: Unpacker, on_bytes: OnBytes) -> None:
    """Fill the partial file from one source and, if its hash is right, give it its name."""
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    if not isinstance(source, Web):
        unpacker.extract(source, partial, file.n_bytes, on_bytes)
        _accept(partial, path, file, str(source))
        return
    resumed = partial.exists()
    download(source.address, partial, file.n_bytes, on_bytes)
    if resumed and not is_right(partial, file):
        partial.unlink()  # the beginning may have come from elsewhere or be damaged: once more, from nothing
        download(source.address, partial, file.n_bytes, on_bytes)
    _accept(partial, path, file, str(source))


def _accept(partial: Path, path: Path, file: AssetFile, origin: str) -> None:
    if not is_right(partial, file):
        n_bytes = partial.stat().st_size
        partial.unlink()
        raise AssetError(f"{origin} gave a wrong file ({n_bytes} bytes; its SHA-256 is not {file.sha256[:12]}...)")
    with partial.open("rb+") as stream:
        os.fsync(stream.fileno())
    partial.replace(path)


def _copy(origin: Path, path: Path, file: AssetFile) -> None:
    if not origin.is_file():
        raise AssetError(f"{origin} does not exist; the folder must hold a file named {file.name}")
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    shutil.copyfile(origin, partial)
    _accept(partial, path, file, str(origin))
