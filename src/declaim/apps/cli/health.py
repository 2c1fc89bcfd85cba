"""What ``declaim doctor`` looks at: one function per question about this machine, each answered in plain words.

Nothing here may fail because something is missing: that is what it is there to find out. Hence libraries are imported
by name inside the checks, and this module itself needs only the standard library.
"""

import ctypes
import importlib
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from declaim import assets
from declaim.errors import AssetError

Level = Literal["good", "odd", "bad"]

OLDEST_PYTHON = (3, 11)
LIBRARIES = ("numpy", "scipy", "torch", "safetensors", "numba", "av", "soxr", "PIL", "cv2", "mediapipe")
SYSTEM_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
"""Shared libraries that the wheels of OpenCV and MediaPipe expect of a Linux machine, and their Debian packages."""

SHIPPED = (
    "a2v-prior", "arkit-net", "demo-portrait", "demo-speech", "diffposetalk",
    "face-model", "fd2talk", "head3d", "latent-renderer", "mouth-renderer", "sdm", "sync-expert", "visemes",
)  # fmt: skip
_LEAST_DISK_BYTES, _GOOD_DISK_BYTES = 200_000_000, 1_000_000_000
_LEAST_MEMORY_BYTES, _GOOD_MEMORY_BYTES = 1_000_000_000, 2_500_000_000


@dataclass(frozen=True)
class Finding:
    """One answer.

    Attributes:
        level: ``good``; ``odd``: works, but not as it could; ``bad``: declaim cannot work.
        subject: a word or two.
        text: what was found and, unless it is good, what to do.
    """

    level: Level
    subject: str
    text: str


def examine() -> Iterator[Finding]:
    """Every answer, as soon as it is known."""
    yield python_version()
    yield from libraries()
    for check in CHECKS:
        yield check()
    yield from asset_states()
    yield shipped_parts()


def python_version() -> Finding:
    """Whether this Python is new enough."""
    here = platform.python_version()
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("bad", "Python", f"{here} is too old; install Python 3.11 or newer")
    if sys.maxsize < 2**32:
        return Finding("bad", "Python", f"{here} is a 32-bit build; install a 64-bit one")
    return Finding("good", "Python", f"{here} on {platform.system()} {platform.machine()}")


def libraries() -> Iterator[Finding]:
    """Whether every library imports, and the system libraries behind OpenCV and MediaPipe are there."""
    missing = missing_system_libraries()
    if advice := system_libraries_advice():
        yield Finding("bad", "system", f"lacks {advice}")
    broken = False
    for name in LIBRARIES:
        try:
            _import(name)
        except Exception as error:  # a broken wheel may raise anything
            broken = True
            yield Finding("bad", name, f"does not import ({_first_line(error)}); {_import_advice(error, missing)}")
    if not broken:
        yield Finding("good", "libraries", f"all {len(LIBRARIES)} import")


def missing_system_libraries() -> list[str]:
    """Names of shared libraries that cannot be loaded (Linux only; elsewhere the wheels bring everything)."""
    if not sys.platform.startswith("linux"):
        return []
    return [name for name in SYSTEM_LIBRARIES if not _loads(name)]


def system_libraries_advice() -> str | None:
    """Which system libraries are missing and what to do, after "this machine lacks"; None if none is."""
    missing = missing_system_libraries()
    if not missing:
        return None
    packages = " ".join(SYSTEM_LIBRARIES[name] for name in missing)
    return (
        f"{', '.join(missing)}, which OpenCV and MediaPipe need; on Debian and Ubuntu run: apt-get install {packages}"
    )


def torch_build() -> Finding:
    """Which build of torch this is, and whether it sees an accelerator (declaim does not need one)."""
    try:
        torch = _import("torch")
    except Exception as error:
        return Finding("bad", "torch", f"does not import ({_first_line(error)}); run: pip install torch")
    version, threads = torch.__version__, torch.get_num_threads()
    if torch.cuda.is_available():
        return Finding("good", "torch", f"{version} with CUDA, {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return Finding("good", "torch", f"{version} with Apple's MPS")
    if torch.version.cuda:
        return Finding("odd", "torch", f"{version} is a CUDA build and sees no GPU; works (the CPU build is smaller)")
    return Finding("good", "torch", f"{version} for the CPU, {threads} threads (declaim needs no GPU)")


def numba_works() -> Finding:
    """Whether numba really compiles here."""
    try:
        numba = _import("numba")
        if numba.config.DISABLE_JIT:
            return Finding("odd", "numba", "NUMBA_DISABLE_JIT is set: rendering will be very slow; unset it")
        doubled = numba.njit(lambda x: x + x)(21.0)
    except Exception as error:
        return Finding("bad", "numba", f"does not compile ({_first_line(error)}); run: pip install --upgrade numba")
    if doubled != 42.0:
        return Finding("bad", "numba", f"computes 2 x 21 = {doubled}; run: pip install --force-reinstall numba")
    return Finding("good", "numba", f"{numba.__version__} compiles")


def video_encoders() -> Finding:
    """Whether PyAV can write H.264 and AAC."""
    try:
        av = _import("av")
    except Exception as error:
        return Finding("bad", "video", f"PyAV does not import ({_first_line(error)}); run: pip install av")
    missing = [name for name in ("h264", "aac") if not _has_encoder(av, name)]
    if missing:
        return Finding(
            "bad", "video", f"PyAV {av.__version__} cannot write {' and '.join(missing)}; run: pip install --upgrade av"
        )
    return Finding("good", "video", f"PyAV {av.__version__} writes H.264 and AAC")


def cores() -> Finding:
    """How many processor cores this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_cores()
    usable = min(float(count), quota)
    if usable < 2:
        return Finding("odd", "processor", f"only {usable:g} core for declaim; works, at half the speed of two")
    return Finding("good", "processor", f"{usable:g} cores")


def memory() -> Finding:
    """Whether there is memory enough."""
    free = available_memory_bytes()
    if free is None:
        return Finding("good", "memory", "unknown on this system; declaim needs 2 GB")
    text = f"{free / 1e9:.1f} GB free"
    if free < _LEAST_MEMORY_BYTES:
        return Finding("bad", "memory", f"{text}, declaim needs about 2 GB; close other programs")
    if free < _GOOD_MEMORY_BYTES:
        return Finding("odd", "memory", f"{text}, declaim needs up to 2 GB: it may get tight")
    return Finding("good", "memory", text)


def disk() -> Finding:
    """Whether there is room for assets and videos, and which of the two places is short of it."""
    places = {"the cache": _nearest_folder(assets.cache_folder()), "this folder": Path.cwd()}
    free = {what: shutil.disk_usage(place).free for what, place in places.items()}
    what = min(free, key=lambda place: free[place])
    text = f"{free[what] / 1e9:.1f} GB free where {what} lies ({places[what]})"
    if free[what] < _LEAST_DISK_BYTES:
        return Finding("bad", "disk", f"{text}; free some space or point DECLAIM_HOME to another disk")
    if free[what] < _GOOD_DISK_BYTES:
        return Finding("odd", "disk", f"{text}; enough for short videos")
    return Finding("good", "disk", text)


def cache_access() -> Finding:
    """Whether the cache folder can be written."""
    folder = assets.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = error.strerror or str(error)
        if all(assets.state(asset.name) == "complete" for asset in assets.ASSETS.values() if asset.required):
            return Finding("odd", "cache", f"{folder} cannot be written ({why}); works, as all needed assets are there")
        return Finding("bad", "cache", f"{folder} cannot be written ({why}); point DECLAIM_HOME to another folder")
    return Finding("good", "cache", f"{folder} can be written")


def asset_states() -> Iterator[Finding]:
    """Every asset: needed and here, not fetched yet, or corrupt (all bytes are hashed)."""
    for asset in assets.ASSETS.values():
        try:
            found = assets.state(asset.name, hashes=True)
        except AssetError as error:
            yield Finding("bad" if asset.required else "odd", asset.name, str(error))
            continue
        advice = f"run: declaim assets pull {asset.name}"
        if found == "complete":
            yield Finding("good", asset.name, f"here, SHA-256 right ({asset.n_bytes / 1e6:.0f} MB)")
        elif found == "corrupt":
            yield Finding("bad" if asset.required else "odd", asset.name, f"is corrupt; {advice}")
        elif asset.required:
            offline = bool(os.environ.get("DECLAIM_OFFLINE"))
            will = "and DECLAIM_OFFLINE forbids fetching it" if offline else "the first use will fetch it"
            yield Finding("bad" if offline else "odd", asset.name, f"not fetched yet, {will}; or {advice}")


def shipped_parts() -> Finding:
    """Whether what comes with the package is there."""
    missing = []
    for name in SHIPPED:
        try:
            assets.shipped(name)
        except AssetError:
            missing.append(name)
    if missing:
        return Finding("bad", "package", f"{', '.join(missing)} missing from this installation; reinstall declaim")
    return Finding("good", "package", "all parts that come with declaim are there")


CHECKS: tuple[Callable[[], Finding], ...] = (
    torch_build,
    numba_works,
    video_encoders,
    cores,
    memory,
    disk,
    cache_access,
)
"""The checks that give one answer each."""


def available_memory_bytes() -> int | None:
    """Memory that a program may still take, within the limits of a container; None where the system does not tell."""
    known = []
    meminfo = _read("/proc/meminfo")
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            known.append(int(line.split()[1]) * 1024)
    limit, used = _read("/sys/fs/cgroup/memory.max").strip(), _read("/sys/fs/cgroup/memory.current").strip()
    if limit.isdigit() and used.isdigit():
        known.append(max(0, int(limit) - int(used)))
    return min(known) if known else None


def _cgroup_cores() -> float:
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else math.inf


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _import(name: str) -> Any:
    return importlib.import_module(name)


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _has_encoder(av: Any, name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except Exception:  # PyAV has moved this error between versions
        return False
    return True


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _import_advice(error: Exception, missing_libraries: list[str]) -> str:
    if isinstance(error, ModuleNotFoundError):
        return "reinstall declaim with: pip install --force-reinstall declaim"
    if any(name in str(error) for name in missing_libraries):
        return "see the missing system libraries above"
    return "its wheel may not suit this machine; reinstall it"
