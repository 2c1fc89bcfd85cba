"""Pictures that the autoencoder learns from: two of one person, cut at one place."""

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from declaim.recipes.base import Section
from declaim.recipes.pairs import PairSampler


class CutChanges(Section):
    """How the pictures are cut; both of a row alike."""

    side: int = Field(128, gt=0)
    """Side of the cuts, in pixels."""
    guides: float = Field(0.25, ge=0, le=1)
    """Share of the rows that decode the mesh renderer's frame, not the true one."""
    scaled: float = Field(0.5, ge=0, le=1)
    """Share of the rows cut larger or smaller, and scaled to the side."""
    scale: float = Field(0.4, ge=0)
    """Most by which the logarithm of the cut's side differs."""


class CutSampler:
    """Draws cuts; a row depends on seed, batch number and its place alone.

    Args:
        pairs: draws pairs and how they are changed.
        changes: see `CutChanges`.
        factor: cuts begin at multiples of so many pixels.
    """

    def __init__(self, pairs: PairSampler, changes: CutChanges, factor: int) -> None:
        self.pairs, self.changes, self.factor = pairs, changes, factor

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Pictures ``first`` and ``second`` in -1 .. 1, (rows, 3, side, side)."""
        made = torch.stack([self._row(number, row) for row in rows])
        return {"first": made[:, 0], "second": made[:, 1]}

    def _row(self, number: int, row: int) -> Float[Tensor, "2 3 side side"]:
        pair, changes = self.pairs.pair(number, row), self.changes
        rng = np.random.default_rng((self.pairs.seed, number, row, 1))
        both = np.stack([pair.reference, pair.guide if rng.random() < changes.guides else pair.target])
        side = changes.side
        if rng.random() < changes.scaled:
            side = round(side * float(np.exp(changes.scale * rng.uniform(-1, 1))))
        side = min(side, both.shape[1])
        top, left = rng.integers(0, (both.shape[1] - side) // self.factor + 1, 2) * self.factor
        cuts = list(both[:, top : top + side, left : left + side])
        if side != changes.side:
            how = cv2.INTER_AREA if side > changes.side else cv2.INTER_CUBIC
            cuts = [cv2.resize(cut, (changes.side, changes.side), interpolation=how) for cut in cuts]
        return 2.0 * torch.stack(pair.look.of(cuts)) - 1.0
