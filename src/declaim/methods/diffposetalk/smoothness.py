"""The best estimate that a noisy window alone allows, if motion were Gaussian and as smooth as people's.

    previous  x x x                    known: they say where a window begins, and how far one can be from there
    noisy           ~ ~ ~ ~ ~ ~        neighbours tell of each other: noise is white, motion is not

Column by column, with the autocorrelation r of people's motion and an amplitude s of the style's. Clean frames given
the previous ones have the mean m and the covariance s^2 U diag(lambda) U^T, which no diffusion step changes. Given the
noisy frames, too, their mean is two small products: m + U g U^T (x_t - sqrt(level) m), g = sqrt(level) s^2 lambda / v
with v = level s^2 lambda + 1 - level (the Wiener filter). What is left in doubt has the variances
(1 - level) s^2 lambda / v along U: a network need only say where within them the truth lies.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

FLOOR = 1e-4
"""Least share of the variance that no other frame tells of: with 1 %, heads tremble at twice people's speed."""


DISTANCES = 128
"""Frames over which smoothness is known; what lies further apart is as like as what lies so far apart."""


class Basis(NamedTuple):
    """Clean frames given the previous ones, columns in the first place.

    Attributes:
        mean: from previous frames to the mean.
        vectors: U.
        values: lambda.
    """

    mean: Float[Tensor, "columns new prefix"]
    vectors: Float[Tensor, "columns new new"]
    values: Float[Tensor, "columns new"]


def basis(variogram: Float[Tensor, "columns frames"], prefix: int, *, first: bool) -> Basis:
    """What does not depend on noise and amplitude.

    Args:
        variogram: 1 - r of every column over a window.
        prefix: previous frames.
        first: nothing is known of them.
    """
    r = 1.0 - variogram.double()
    frames = torch.arange(r.shape[1], device=r.device)
    whole = (1.0 - FLOOR) * r[:, (frames[:, None] - frames).abs()]
    whole = whole + FLOOR * torch.eye(len(frames), dtype=whole.dtype, device=r.device)
    values, vectors = torch.linalg.eigh(whole)  # measured shares need not be those of any process
    whole = vectors @ (values.clamp(min=FLOOR / 2)[..., None] * vectors.mT)
    known, across, new = whole[:, :prefix, :prefix], whole[:, prefix:, :prefix], whole[:, prefix:, prefix:]
    mean = torch.zeros_like(across) if first else torch.linalg.solve(known, across.mT).mT
    values, vectors = torch.linalg.eigh(new - mean @ across.mT)
    return Basis(mean.float(), vectors.float(), values.clamp(min=FLOOR / 2).float())


def autocorrelation(
    clips: list[tuple[Float[Tensor, "_ columns"], Bool[Tensor, " _"]]], frames: int = DISTANCES
) -> Float[Tensor, "columns frames"]:
    """How motion goes along with itself some frames later; 1 at no distance.

    The mean over clips, each counting by its variance: in heads that hardly move a tracker's noise is no small share.

    Args:
        clips: normalised motion around its rest, and the frames that count; a column of zeros does not count.
        frames: distances wanted.
    """
    size = 2 * max(len(motion) for motion, _ in clips)
    sums = wanted = torch.zeros(clips[0][0].shape[1], size, dtype=torch.float64)
    for motion, counts in clips:
        seen = motion.double() * counts[:, None]
        variance = seen.square().sum(0) / counts.sum().clamp(min=1)
        sums = sums + _with_itself(seen, size).T
        wanted = wanted + variance[:, None] * _with_itself(counts[:, None].double(), size).T
    found = (sums / wanted.clamp(min=1e-9))[:, :frames]
    found = torch.nn.functional.pad(found, (0, frames - found.shape[1]))
    return (found / found[:, :1].clamp(min=1e-9)).clamp(-1.0, 1.0).float()


def _with_itself(rows: Float[Tensor, "frames columns"], size: int) -> Float[Tensor, "size columns"]:
    """Sums of the products of what lies 0, 1, ... rows apart."""
    return torch.fft.irfft(torch.fft.rfft(rows, n=size, dim=0).abs().square(), n=size, dim=0)


class GaussianEstimate(nn.Module):
    """The Gaussian mean of clean frames, given previous and noisy ones, and what a network adds to it.

    Args:
        columns: motion columns.
        prefix: previous frames.
        smooth: columns in which what the network adds is as smooth as what is in doubt: heads are heavy. Elsewhere it
            is scaled frame by frame: lips can close at once.
    """

    variogram: Tensor

    def __init__(self, columns: int, prefix: int, smooth: slice) -> None:
        super().__init__()
        self.prefix, self.smooth = prefix, smooth
        white = torch.ones(columns, DISTANCES)
        white[:, 0] = 0.0
        self.register_buffer("variogram", white)  # 1 - r: small numbers keep their digits in half precision
        self._kept: tuple[tuple[int, torch.device], tuple[Basis, Basis]] | None = None

    def learn(self, found: Float[Tensor, "columns frames"]) -> None:
        """Take the `autocorrelation` that was measured, to the precision with which it will be saved."""
        self.variogram.copy_((1.0 - found).half().float())
        self._kept = None

    def _load_from_state_dict(self, *arguments: object) -> None:
        super()._load_from_state_dict(*arguments)
        self._kept = None

    @torch.no_grad()
    def _bases(self, frames: int) -> tuple[Basis, Basis]:
        """For windows that go on, and for first ones."""
        state = (frames, self.variogram.device)
        kept = self._kept
        if kept is None or kept[0] != state:
            rows = self.variogram[:, torch.arange(frames).clamp(max=DISTANCES - 1)]
            made = basis(rows, self.prefix, first=False), basis(rows, self.prefix, first=True)
            kept = self._kept = (state, made)
        return kept[1]

    def forward(
        self,
        added: Float[Tensor, "batch frames columns"],
        x_t: Float[Tensor, "batch frames columns"],
        level: Float[Tensor, " batch"],
        size: Float[Tensor, "batch columns"],
        first: Bool[Tensor, " batch"],
    ) -> Float[Tensor, "batch frames columns"]:
        """Estimate of the clean frames; previous ones are themselves.

        Args:
            added: what the network says about noisy frames, of unit size.
            x_t: previous frames, clean, and noisy ones.
            level: share of the signal's variance that is left.
            size: amplitudes.
            first: windows about whose previous frames nothing is known.
        """
        estimate = torch.empty_like(x_t)
        for given, rows in zip(self._bases(x_t.shape[1]), (~first, first), strict=True):
            if bool(rows.any()):
                estimate[rows] = self._estimate(given, added[rows], x_t[rows], level[rows], size[rows])
        return estimate

    def _estimate(
        self,
        given: Basis,
        added: Float[Tensor, "batch frames columns"],
        x_t: Float[Tensor, "batch frames columns"],
        level: Float[Tensor, " batch"],
        size: Float[Tensor, "batch columns"],
    ) -> Float[Tensor, "batch frames columns"]:
        vectors, columns_first = given.vectors, x_t.permute(2, 1, 0)
        previous, noisy = columns_first[:, : self.prefix], columns_first[:, self.prefix :]
        said = added.permute(2, 1, 0)[:, self.prefix :]
        expected = given.mean @ previous
        variance = size.square().T[:, None] * given.values[..., None]
        total = level * variance + 1.0 - level
        doubt = (1.0 - level) * variance / total
        along = level.sqrt() * variance / total * (vectors.mT @ (noisy - level.sqrt() * expected))
        frame_by_frame = (vectors.square() @ doubt).sqrt() * said
        smooth = self.smooth
        along[smooth] = along[smooth] + doubt[smooth].sqrt() * (vectors[smooth].mT @ said[smooth])
        frame_by_frame[smooth] = 0.0
        return torch.cat([previous, expected + vectors @ along + frame_by_frame], 1).permute(2, 1, 0)
