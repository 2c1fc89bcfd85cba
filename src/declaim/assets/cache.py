"""Where assets lie on this machine, and whether they are whole.

<cache folder>/assets/<asset>/<file>             whole: its hash was right when it got this name
<cache folder>/assets/<asset>/<file>.partial     begun; the next pull goes on from here
<cache folder>/assets/.<asset>.lock              held by the process that fetches
"""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock

from declaim.assets.manifest import Asset, AssetFile, lookup
from declaim.errors import AssetError, CapacityError

OnBytes = Callable[[int, int], None]
"""Progress hook: (bytes done, bytes in all). The same shape as ``declaim.types.OnStep``, spelled out because this
package must start, and ``declaim doctor`` must speak, where torch does not import."""

State = Literal["complete", "absent", "incomplete", "corrupt"]
"""``incomplete``: some files or the beginning of one are there. ``corrupt``: a file has a wrong size or hash."""

PARTIAL_SUFFIX = ".partial"
_SHIPPED = Path(__file__).parent / "shipped"
_BLOCK_BYTES = 1 << 20


def cache_folder() -> Path:
    """Folder of everything that declaim keeps: ``$DECLAIM_HOME``, or the platform's place for caches."""
    if home := os.environ.get("DECLAIM_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "declaim"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "declaim"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "declaim"


def asset_folder(name: str) -> Path:
    """Folder of one asset, whether it exists or not."""
    return cache_folder() / "assets" / name


def shipped(name: str) -> Path:
    """Folder of a small asset that comes with the package, such as ``"demo-portrait"``.

    Raises:
        AssetError: nothing of that name is shipped.
    """
    folder = _SHIPPED / name
    if not name or not folder.is_dir():
        known = ", ".join(sorted(f.name for f in _SHIPPED.iterdir() if f.is_dir())) if _SHIPPED.is_dir() else "nothing"
        raise AssetError(f"declaim does not ship {name!r}; it ships {known} (if that is too little, reinstall declaim)")
    return folder


def locate(name: str) -> Path:
    """The asset's file, or its folder if it has several files or is shipped. Never downloads.

    Sizes are looked at, hashes are not (they were when the file got its name); ``verify`` reads everything.

    Raises:
        AssetError: the asset is unknown, not fetched yet, or a file has a wrong size.
    """
    if (_SHIPPED / name).is_dir():
        return shipped(name)
    asset = lookup(name)
    _demand(asset, state(name))
    return _place(asset)


def verify(name: str) -> Path:
    """``locate``, after every byte has been hashed.

    Raises:
        AssetError: the asset is unknown, not fetched yet, or not what it should be.
    """
    asset = lookup(name)
    _demand(asset, state(name, hashes=True))
    return _place(asset)


def state(name: str, *, hashes: bool = False) -> State:
    """How much of an asset is here; with ``hashes``, every byte is read.

    Raises:
        AssetError: the asset is unknown or cannot be read.
    """
    asset = lookup(name)
    found: list[State] = []
    for file in asset.files:
        path = asset_folder(name) / file.name
        if not path.is_file():
            begun = path.with_name(path.name + PARTIAL_SUFFIX).is_file()
            found.append("incomplete" if begun else "absent")
        else:
            found.append("complete" if is_right(path, file, hashes=hashes) else "corrupt")
    if "corrupt" in found:
        return "corrupt"
    return found[0] if len(set(found)) == 1 else "incomplete"


def is_right(path: Path, file: AssetFile, *, hashes: bool = True) -> bool:
    """Whether ``path`` is ``file``: by its size, and with ``hashes`` by its SHA-256.

    Raises:
        AssetError: it is there but cannot be read.
    """
    try:
        if not path.is_file() or path.stat().st_size != file.n_bytes:
            return False
        return not hashes or sha256_of(path) == file.sha256
    except OSError as error:
        raise AssetError(f"cannot read {path}: {error.strerror or error}") from error


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def remove(name: str) -> int:
    """Delete an asset with everything begun of it; returns the bytes freed.

    Raises:
        AssetError: unknown, or the folder cannot be changed.
    """
    folder = asset_folder(lookup(name).name)
    if not folder.is_dir():
        return 0
    with locked(name), disk_faults(folder):
        freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    return freed


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep other processes (and threads) away from one asset; waits for them. A lock dies with its process.

    Raises:
        AssetError: the cache folder cannot be written.
        CapacityError: the disk is full.
    """
    folder = asset_folder(name).parent
    with disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{name}.lock", thread_local=False)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def disk_faults(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about ``folder`` into one sentence.

    Raises:
        CapacityError: the disk is full.
        AssetError: any other fault of the disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise CapacityError(
                f"the disk that holds {folder} is full; free some space or point DECLAIM_HOME to another disk"
            ) from error
        raise AssetError(
            f"cannot write the cache folder {folder}: {error.strerror or error}; "
            "make it writable or point DECLAIM_HOME to another folder"
        ) from error


def _place(asset: Asset) -> Path:
    folder = asset_folder(asset.name)
    return folder / asset.files[0].name if len(asset.files) == 1 else folder


def _demand(asset: Asset, found: State) -> None:
    if found == "complete":
        return
    faults = {"absent": "is not on this machine yet", "incomplete": "is only partly here", "corrupt": "is corrupt"}
    raise AssetError(
        f"the asset {asset.name} {faults[found]} ({asset_folder(asset.name)}); run: declaim assets pull {asset.name}"
    )
