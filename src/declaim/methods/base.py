"""What every motion method offers."""

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from declaim.types import Motion, OnStep, Spoken


@runtime_checkable
class Method(Protocol):
    """A way from speech to motion, trained on footage.

    Motion is relative to rest: zero expression is a neutral face, zero pose the portrait's own.
    """

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Training losses by name; ``"total"`` is the one to minimise."""
        ...

    def generate(
        self,
        speech: Spoken,
        *,
        seed: int = 0,
        steps: int | None = None,
        pose_scale: float = 1.0,
        expression_scale: float = 1.0,
        blink_scale: float = 1.0,
        on_step: OnStep | None = None,
    ) -> Motion:
        """Motion for ``speech``, one row per frame of ``speech.n_frames``."""
        ...

    @classmethod
    def from_pretrained(cls, weights: str | Path | None = None) -> Self:
        """Load a saved folder, or the weights that ship with declaim."""
        ...

    def save_pretrained(self, folder: Path, card: str = "") -> None:
        """Write a folder that `from_pretrained` reads."""
        ...
