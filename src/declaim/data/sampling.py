"""Training batches: speakers count by the root of their minutes, sequences start anywhere, half of them mirrored."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor


@runtime_checkable
class Example(Protocol):
    """One clip ready to learn from."""

    @property
    def speaker(self) -> str:
        """Who speaks."""
        ...

    @property
    def features(self) -> Float[Tensor, "frames features"]:
        """Speech features."""
        ...

    @property
    def target(self) -> Float[Tensor, "frames dim"]:
        """What is learnt."""
        ...

    @property
    def mirrored(self) -> Float[Tensor, "frames dim"]:
        """The target as seen in a mirror."""
        ...

    @property
    def mask(self) -> Bool[Tensor, " frames"]:
        """Frames that count."""
        ...

    @property
    def pose_mask(self) -> Bool[Tensor, " frames"]:
        """Frames whose pose counts."""
        ...


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of one length, zeros where a clip was shorter (mask False there)."""

    features: Float[Tensor, "batch frames features"]
    target: Float[Tensor, "batch frames dim"]
    mask: Bool[Tensor, "batch frames"]
    pose_mask: Bool[Tensor, "batch frames"]


class BalancedSampler:
    """Draws batches; a row depends on seed, batch number and its place alone, so that a resumed run goes on exactly.

    Args:
        examples: the clips.
        frames: length of a sequence.
        seed: the order.
        mirror: whether half of the sequences are mirrored.
        cap_frames: a speaker with more frames than this counts as if he had this many.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        frames: int,
        *,
        seed: int = 0,
        mirror: bool = True,
        cap_frames: int = 3000,
    ) -> None:
        self.examples = list(examples)
        self.frames, self.seed, self.mirror = frames, seed, mirror
        grouped: dict[str, list[int]] = defaultdict(list)
        for i, example in enumerate(self.examples):
            grouped[example.speaker].append(i)
        self._groups = list(grouped.values())
        lengths = [np.array([len(self.examples[i].target) for i in group], float) for group in self._groups]
        self._within = [length / length.sum() for length in lengths]
        share = np.array([min(length.sum(), cap_frames) ** 0.5 for length in lengths])
        self._share = share / share.sum()

    def batch(self, number: int, rows: range) -> Batch:
        """Some rows of batch ``number`` (0, 1, ...)."""
        cut = [self._sequence(number, row) for row in rows]
        features, target, mask, pose_mask = (torch.stack(column) for column in zip(*cut, strict=True))
        return Batch(features, target, mask, pose_mask)

    def chosen(self, number: int, rows: range) -> list[int]:
        """Which examples the rows of a batch are cut from."""
        return [self._choose(np.random.default_rng((self.seed, number, row))) for row in rows]

    def _choose(self, rng: np.random.Generator) -> int:
        speaker = rng.choice(len(self._groups), p=self._share)
        return self._groups[speaker][rng.choice(len(self._within[speaker]), p=self._within[speaker])]

    def _sequence(self, number: int, row: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, number, row))
        example = self.examples[self._choose(rng)]
        spare = len(example.target) - self.frames
        start = int(rng.integers(0, spare + 1)) if spare > 0 else 0
        target = example.mirrored if self.mirror and rng.random() < 0.5 else example.target
        columns = (example.features, target, example.mask, example.pose_mask)
        return tuple(cut(c, start, self.frames) for c in columns)  # type: ignore[return-value]


def cut(rows: Tensor, start: int, frames: int) -> Tensor:
    """``frames`` rows from ``start``, filled up with zeros (False)."""
    piece = rows[start : start + frames]
    if len(piece) == frames:
        return piece
    return torch.cat([piece, piece.new_zeros(frames - len(piece), *piece.shape[1:])])
