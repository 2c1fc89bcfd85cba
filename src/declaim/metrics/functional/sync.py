"""LSE-D, LSE-C and the offset from a curve of distances between what is heard and what is seen."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError

REACH = 15
"""Offsets go from -15 to 15 frames."""


class LipSync(NamedTuple):
    """What a distance curve says.

    Attributes:
        distance: LSE-D, the least distance: smaller is more in sync.
        confidence: LSE-C, how far the least lies below the median: larger is surer.
        offset: frames by which the picture comes late (negative: early).
    """

    distance: float
    confidence: float
    offset: int


def lip_sync(curve: Float[Tensor, " offsets"]) -> LipSync:
    """LSE-D (least distance), LSE-C (median minus least) and offset (place of the least) of a distance curve.

    Args:
        curve: mean distance of speech and mouth for picture delays of -n .. n frames.

    Raises:
        ConfigError: the curve has no middle.

    Paper: Prajwal et al. (ACM MM 2020), section 4; Chung and Zisserman (ACCV 2016) for the curve
    """
    if len(curve) % 2 == 0:
        raise ConfigError(f"a distance curve goes from -n to n and so has an odd number of values, got {len(curve)}")
    least = float(curve.min())
    return LipSync(least, float(curve.median()) - least, int(curve.argmin()) - len(curve) // 2)
