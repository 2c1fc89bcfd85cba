"""How fast heads turn at every frequency, and the filter that brings one head's spectrum to another's."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.timebase import FPS

SEGMENT = 64
"""Frames of a segment: 2.56 s, frequencies .39 Hz apart."""
REACH = 12
"""Frames to either side of the filter: it tells frequencies 1 Hz apart."""
MOST = 4.0
"""Greatest gain at a frequency: what is hardly there cannot be made from nothing."""
SLOWEST = 1e-6
"""Speeds below this, rad/s, are none."""


@dataclass(frozen=True, eq=False)
class HeadSpeed:
    """How fast heads turn.

    Attributes:
        spectrum: `speed_spectrum`.
        median: angular speed that half of the frames exceed, rad/s.
        fastest: angular speed that a tenth of the frames exceed, rad/s.
    """

    spectrum: Float[Tensor, " frequencies"]
    median: Float[Tensor, ""]
    fastest: Float[Tensor, ""]

    @classmethod
    def mean(cls, rotations: Sequence[Float[Tensor, "_ 3"]]) -> "HeadSpeed":
        """Mean over clips of two frames or more, each counting the same; rotations around rest, rad."""
        speeds = [rotation.diff(dim=0).norm(dim=1) * float(FPS) for rotation in rotations]
        median, fastest = (torch.stack([s.quantile(share) for s in speeds]).mean() for share in (0.5, 0.9))
        return cls(torch.stack([speed_spectrum(r) for r in rotations]).mean(0), median, fastest)

    @property
    def tail(self) -> float:
        """How much faster quick moments are than usual ones."""
        return float(self.fastest / self.median.clamp(min=SLOWEST))

    def times(self, other: "HeadSpeed") -> float:
        """How many times faster than ``other``: mean of median and fastest tenth, in logarithms."""
        ratios = [a / b.clamp(min=SLOWEST) for a, b in ((self.median, other.median), (self.fastest, other.fastest))]
        return float((ratios[0] * ratios[1]).sqrt())


def speed_spectrum(rotation: Float[Tensor, "frames 3"]) -> Float[Tensor, " frequencies"]:
    """Amplitude of the head's angular velocity at 0 to 12.5 Hz, rad/s, mean over half overlapping segments (Welch).

    Args:
        rotation: axis-angle around rest, rad. Clips shorter than a segment are filled up with rest.
    """
    velocity = rotation.diff(dim=0) * float(FPS)
    spare = max(SEGMENT - len(velocity), 0)
    pieces = torch.nn.functional.pad(velocity, (0, 0, 0, spare)).unfold(0, SEGMENT, SEGMENT // 2)
    window = torch.hann_window(SEGMENT)
    power = torch.fft.rfft(pieces * window).abs().square().mean(0).sum(0) / window.square().sum()
    return power.sqrt()


def matching_filter(
    wanted: Float[Tensor, " frequencies"], found: Float[Tensor, " frequencies"]
) -> Float[Tensor, " taps"]:
    """Symmetric kernel that multiplies every frequency by how much it lacks, at most by `MOST`.

    Args:
        wanted: spectrum to reach.
        found: spectrum of what is filtered.
    """
    gain = (wanted / found.clamp(min=1e-6)).clamp(max=MOST)
    response = torch.fft.irfft(gain.to(torch.complex64), SEGMENT).roll(SEGMENT // 2)
    middle = response[SEGMENT // 2 - REACH : SEGMENT // 2 + REACH + 1]
    return middle * torch.hann_window(2 * REACH + 3, periodic=False)[1:-1]
