"""Saved weights as folders: ``config.json`` + ``*.safetensors`` + a model card, written atomically, loaded strictly.

Nothing here unpickles. A folder is complete or absent: it is written under a temporary name and renamed.
"""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from declaim.errors import CapacityError, CheckpointError, DeclaimError, Unwritable

FORMAT_VERSION = 1
"""Version of the folder format; a folder with another number is refused."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"

ConfigT = TypeVar("ConfigT", bound=BaseModel)

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write_error(path: Path, error: Exception) -> DeclaimError:
    """What to raise where ``path`` could not be written: a full disk is told from other reasons by ``error.errno``."""
    reason = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in _FULL:
        return CapacityError(f"cannot write {path}: {reason}; free some space or write elsewhere")
    return Unwritable(f"cannot write {path}: {reason}")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that is renamed to ``path`` on success and removed on failure.

    The temporary name keeps ``path``'s suffix, so that format detection by name still works.

    Raises:
        Unwritable: the folder does not exist or cannot be written.
        CapacityError: the disk is full.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise Unwritable(f"cannot write {path}: the folder {path.parent} does not exist; create it first")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:60]}.", suffix=f".partial{path.suffix}", dir=path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that replaces ``path`` on success and is removed on failure.

    Raises:
        Unwritable: the folder cannot be written.
        CapacityError: the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> None:
    """Write named tensors as safetensors (contiguous copies, CPU), with what is to be said about them.

    Raises:
        Unwritable: it cannot be written.
        CapacityError: the disk is full.
    """
    try:
        copies = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        save_file(copies, path, dict(about) if about else None)
    except SafetensorError as error:  # names the system's error in its text alone
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = int(found[1]) if found else errno.EIO
        raise write_error(path, OSError(number, os.strerror(number))) from error
    Path(path).chmod(0o666 & ~_umask())  # safetensors makes the file readable by its owner alone


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a safetensors file.

    Raises:
        CheckpointError: the file is missing or not a whole safetensors file.
    """
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read weights from {path}: {error}") from error


def load_described(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read named tensors from a safetensors file, and what is said about them.

    Raises:
        CheckpointError: the file is missing or not a whole safetensors file.
    """
    tensors = load_tensors(path)
    with safe_open(path, "pt") as file:
        return tensors, dict(file.metadata() or {})


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write ``config.json`` with the format version in front."""
    text = json.dumps({"format_version": FORMAT_VERSION, **config}, indent=2, ensure_ascii=False)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")


def read_config(folder: Path, kind: str) -> dict[str, Any]:
    """Read ``config.json`` of a folder that must hold a ``kind`` (the config's ``"kind"`` entry).

    Raises:
        CheckpointError: missing, unreadable, of another format version or of another kind.
    """
    path = Path(folder) / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} is no saved {kind}: cannot read {CONFIG_FILE} ({error})") from error
    if config.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{folder} has format version {config.get('format_version')}, this declaim reads {FORMAT_VERSION}"
        )
    if config.get("kind") != kind:
        raise CheckpointError(f"{folder} holds a {config.get('kind')!r}, expected a {kind!r}")
    del config["format_version"]
    return dict(config)


def half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in half precision, for shipping; integer tensors stay as they are."""
    return {n: t.to(torch.float16) if t.is_floating_point() else t for n, t in tensors.items()}


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], origin: Path) -> None:
    """Load ``tensors`` strictly into ``module``, in the module's own precision.

    Raises:
        CheckpointError: names or shapes differ.
    """
    try:
        module.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"weights in {origin} do not fit this network: {str(error).splitlines()[-1]}") from error


def save_network(folder: Path, kind: str, config: BaseModel, network: nn.Module, card: str) -> None:
    """Write a network's folder: its settings, its weights in half precision, its card.

    Raises:
        Unwritable: it cannot be written.
        CapacityError: the disk is full.
    """
    with atomic_folder(Path(folder)) as partial:
        write_config(partial, {"kind": kind, "config": json.loads(config.model_dump_json())})
        save_tensors(partial / WEIGHTS_FILE, half(network.state_dict()))
        (partial / CARD_FILE).write_text(card, encoding="utf-8")


def read_settings(folder: Path, kind: str, config: type[ConfigT]) -> ConfigT:
    """The settings of a folder that `save_network` wrote.

    Raises:
        CheckpointError: missing, of another kind or version, or with settings that this declaim does not know.
    """
    saved = read_config(folder, kind)
    try:
        return config.model_validate(saved.get("config"))
    except ValidationError as error:
        raise CheckpointError(f"{folder} has a {kind} configuration that this declaim cannot read") from error
