"""Results on disk, each under a key that hashes everything it depends on: an interrupted evaluation goes on."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from declaim.errors import CheckpointError
from declaim.face.layouts import FACE64
from declaim.pretrained import atomic_file, load_tensors, save_tensors
from declaim.types import Motion

_PACKAGE = Path(__file__).parents[2]
_MOTION = ("audio", "diffusion", "face", "methods", "motion", "nn")
_SCORES = (*_MOTION, "metrics", "sync", "evaluation/judging")
_PICTURES = (*_SCORES, "media", "render")
_COUNTED = {"takes": _MOTION, "arkit": ("face",), "scores": _SCORES}
"""Packages whose code decides each kind of result; all of them for the others."""


def digest(content: Any) -> str:
    """SHA-256 of plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def code_digest(kind: str) -> str:
    """SHA-256 of the source code that decides results of a kind."""
    total = hashlib.sha256()
    for package in _COUNTED.get(kind, _PICTURES):
        for path in sorted((_PACKAGE / package).rglob("*.py")):
            total.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


class Store:
    """A folder of results; every file appears whole or not at all.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, kind: str, suffix: str, **parts: Any) -> Path:
        """Where the result of ``kind`` that depends on ``parts`` (and on the code) is kept."""
        (self.folder / kind).mkdir(exist_ok=True)
        return self.folder / kind / f"{digest([code_digest(kind), parts])[:32]}{suffix}"

    def read_json(self, path: Path) -> Any:
        """Plain data; None if it is not there or damaged (it is then made anew)."""
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_json(self, path: Path, content: Any) -> None:
        """Write plain data."""
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(content), encoding="utf-8")

    def read_motion(self, path: Path) -> Motion | None:
        """A motion; None if it is not there or damaged."""
        if not path.is_file():
            return None
        try:
            tensors = load_tensors(path)
            return Motion(tensors["motion"], FACE64)
        except (CheckpointError, KeyError):
            return None

    def write_motion(self, path: Path, motion: Motion) -> None:
        """Write a generated motion."""
        with atomic_file(path) as partial:
            save_tensors(partial, {"motion": motion.values.to(torch.float32)})

    def read_tensors(self, path: Path) -> dict[str, Tensor] | None:
        """Named tensors; None if they are not there or damaged."""
        try:
            return load_tensors(path) if path.is_file() else None
        except CheckpointError:
            return None

    def write_tensors(self, path: Path, tensors: dict[str, Tensor]) -> None:
        """Write named tensors."""
        with atomic_file(path) as partial:
            save_tensors(partial, tensors)
