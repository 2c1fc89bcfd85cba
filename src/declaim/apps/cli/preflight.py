"""Checks made before long work begins: what would fail at the end fails at once."""

import json
import os
import shutil
from pathlib import Path

from declaim.apps.cli.progress import console
from declaim.errors import AssetError, CapacityError, ConfigError, Unreadable, Unwritable

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")
MOTION_SUFFIXES = (".npz", ".csv", ".json", ".glb")
_SMALLEST_FREE_BYTES = 20_000_000


def check_input(path: Path, role: str) -> None:
    """The file must exist and hold something.

    Raises:
        Unreadable: it does not.
    """
    if not path.exists():
        raise Unreadable(f"the {role} {path} does not exist; check the path")
    if path.is_dir():
        raise Unreadable(f"the {role} {path} is a folder; give a file")
    if path.stat().st_size == 0:
        raise Unreadable(f"the {role} {path} is empty (0 bytes)")


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """The output's folder must exist and be writable, its suffix known, and the disk not full.

    Raises:
        ConfigError: unknown suffix.
        Unwritable: folder missing or read-only.
        CapacityError: no space left.
    """
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"cannot write {path.name}: the name must end in {' or '.join(suffixes)}")
    folder = path.parent
    if not folder.is_dir():
        raise Unwritable(f"cannot write {path}: the folder {folder} does not exist; create it first")
    if path.is_dir():
        raise Unwritable(f"cannot write {path}: it is a folder")
    if not os.access(folder, os.W_OK):
        raise Unwritable(f"cannot write {path}: the folder {folder} is read-only; choose another with -o")
    if shutil.disk_usage(folder).free < _SMALLEST_FREE_BYTES:
        raise CapacityError(f"cannot write {path}: the disk is full; free some space or choose another folder with -o")


def ensure_assets(*names: str, quiet: bool = False) -> None:
    """Pull the pretrained parts that a command needs, once; later runs are offline.

    Set ``DECLAIM_OFFLINE=1`` to forbid it.

    Raises:
        AssetError: a part is missing and cannot be fetched.
    """
    from declaim import assets
    from declaim.apps.cli.assets import pull_with_bar

    for name in names:
        try:
            assets.locate(name)
        except AssetError:
            if os.environ.get("DECLAIM_OFFLINE"):
                raise
            if not quiet:
                console.print(f"first run: fetching {name} (kept in {assets.cache_folder()})")
            pull_with_bar(name, quiet=quiet)


def ensure_encoder(name: str, *, quiet: bool = False) -> None:
    """Have what a speech encoder needs: pull its asset, or let it say what else must be put in place.

    Raises:
        ConfigError: there is none of that name, or it needs a package that is not installed.
        AssetError: a part is missing and cannot be fetched.
    """
    from declaim.assets import ASSETS
    from declaim.registry import ENCODERS, resolve

    encoder = resolve(ENCODERS, name, kind="encoder")()
    if name in ASSETS:
        ensure_assets(name, quiet=quiet)
    elif hasattr(encoder, "check"):
        encoder.check()


def speech_encoder(method: str, weights: Path | None) -> str:
    """Name of the speech encoder, and so of its asset, that some weights were trained with.

    Weights that cannot be read are left to the method, whose error says what is wrong with them: then it is the
    default one's name.
    """
    from declaim.assets import shipped

    try:
        folder = shipped(method) if weights is None else weights
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))["config"]
        return str(settings["encoder"])
    except (AssetError, OSError, ValueError, KeyError, TypeError):
        return "whisper-tiny.en"
