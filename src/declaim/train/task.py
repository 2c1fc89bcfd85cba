"""What the training loop trains: a module, its batches, its losses."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Int64
from torch import Tensor, nn

from declaim.data.corpus import ClipRecord


@runtime_checkable
class Task(Protocol):
    """One training. Everything is a pure function of its arguments: that makes a run resumable to the bit."""

    module: nn.Module
    """What is trained."""
    clips: Sequence[ClipRecord]
    """The clips it learns from, for the model card."""

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Some rows of batch ``number``, on the CPU, the first dimension of every tensor being ``len(rows)``.

        Batch ``number`` (0, 1, ...) has ``train.batch_size`` rows in all; every process asks for its own. What is in
        a row may depend on the settings, ``number`` and the row's place alone.
        """
        ...

    def names(self, number: int, rows: range) -> Sequence[str]:
        """What the rows of a batch are (clips), to name them where something is wrong with one."""
        ...

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """Losses by name; ``"total"`` is minimised.

        Each is a mean over rows of something that depends on the row alone, so that equal slices of a batch average
        to the whole batch's loss exactly. Noise is drawn from the rows' seeds (`declaim.diffusion.noise.row_noise`),
        dropout apart. ``module`` and ``batch`` are on one device, ``seeds`` on the CPU.
        """
        ...

    def validate(self, module: nn.Module) -> dict[str, float]:
        """The project's own metrics on held-out clips; empty if nothing is held out."""
        ...

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Write a folder that ``from_pretrained`` reads.

        Args:
            module: weights to save, on the CPU.
            folder: where.
            card: how they were made (Markdown); the folder's README is the task's own description and this.
        """
        ...
