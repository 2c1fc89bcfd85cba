"""A manner of speaking as a code: taken from some seconds of one person, given to a method that takes styles."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import CheckpointError
from declaim.face.layouts import FACE64
from declaim.motion.manner import Manner
from declaim.pretrained import atomic_file, load_described, save_tensors
from declaim.timebase import FPS

FORMAT_VERSION = 1
"""Version of style files; a file with another number is refused."""

LEAST_FRAMES = round(2 * FPS)
"""Frames with a face that a style needs."""
KIND = "style"
CODE = "code"
"""Name of the one tensor in a style file."""


@dataclass(frozen=True, eq=False)
class Style:
    """How somebody moves when speaking, as one style encoder sees it.

    Attributes:
        code: the style encoder's output.
        encoder: hash of the weights of the style encoder that made the code; no other method understands it.
        source: name of what it was taken from: a file's name, or a person's.
        seconds: how much motion it was taken from.
        manner: what that motion was like, if it was measured.
    """

    code: Float[Tensor, " dim"]
    encoder: str
    source: str
    seconds: float
    manner: Manner | None = None

    def check_encoder(self, encoder: str) -> None:
        """Make sure that the style was made by the style encoder whose weights have this hash.

        Raises:
            CheckpointError: it was made by another one.
        """
        if self.encoder != encoder:
            raise CheckpointError(
                f"the style of {self.source} was made with another style encoder ({self.encoder}, these weights have "
                f"{encoder}); extract it anew with: declaim style extract"
            )

    def save(self, path: str | Path) -> None:
        """Write a style file (``.safetensors``); it appears whole or not at all.

        Raises:
            Unwritable: it cannot be written.
            CapacityError: the disk is full.
        """
        about = {
            "format_version": str(FORMAT_VERSION), "kind": KIND, "layout": FACE64.name, "encoder": self.encoder,
            "source": self.source, "seconds": repr(self.seconds),
            **({} if self.manner is None else {"manner": json.dumps(asdict(self.manner))}),
        }  # fmt: skip
        with atomic_file(Path(path)) as partial:
            save_tensors(partial, {CODE: self.code}, about)

    @classmethod
    def load(cls, path: str | Path) -> "Style":
        """Read what `save` wrote, exactly.

        Raises:
            CheckpointError: missing, no style file, damaged, of another version or for another layout.
        """
        if not Path(path).is_file():
            raise CheckpointError(f"there is no style file {path}")
        try:
            tensors, about = load_described(Path(path))
        except CheckpointError as error:
            raise CheckpointError(f"{path} is no style file, or is damaged ({error.__cause__})") from error
        if about.get("kind") != KIND:
            raise CheckpointError(f"{path} is no style file; make one with: declaim style extract VIDEO -o {path}")
        for name, expected in (("format_version", str(FORMAT_VERSION)), ("layout", FACE64.name)):
            if about.get(name) != expected:
                raise CheckpointError(
                    f"the style file {path} has {name.replace('_', ' ')} {about.get(name)}, this declaim reads "
                    f"{expected}; extract it anew with: declaim style extract"
                )
        code = tensors.get(CODE)
        try:
            if code is None or code.ndim != 1 or not bool(torch.isfinite(code).all()):
                raise ValueError("its code is no row of finite numbers")
            manner = Manner(**json.loads(about["manner"])) if "manner" in about else None
            return cls(code, about["encoder"], about["source"], float(about["seconds"]), manner)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the style file {path} is damaged: {error}") from error
