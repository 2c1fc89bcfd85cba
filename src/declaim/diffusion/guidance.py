"""Classifier-free guidance: of one condition, or of two with a weight each. Nothing is changed in place."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.diffusion.samplers import Denoise


def guided(conditional: Denoise, unconditional: Denoise, weight: float) -> Denoise:
    """Extrapolate from the unconditional estimate through the conditional one; weight 1 is the conditional itself.

    Paper: Classifier-free diffusion guidance (Ho and Salimans 2022), eq. 6 (with w + 1 written as ``weight``).
    """
    if weight == 1.0:
        return conditional

    def denoise(x_t: Float[Tensor, "*shape"], step: int) -> Float[Tensor, "*shape"]:
        base = unconditional(x_t, step)
        return base + weight * (conditional(x_t, step) - base)

    return denoise


def incremental_weights(first: float, second: float) -> tuple[float, float, float]:
    """What D(0, 0), D(a, 0) and D(a, s) count where the second condition comes on top of the first.

    ``D(0, 0) + first [D(a, 0) - D(0, 0)] + second [D(a, s) - D(a, 0)]``: a sum of the three; one that counts nothing
    need not be computed.

    Paper: InstructPix2Pix (Brooks et al. 2023), eq. 3, as DiffPoseTalk uses it for speech and style.
    """
    return 1.0 - first, first - second, second


def independent_weights(first: float, second: float) -> tuple[float, float, float]:
    """What D(0, 0), D(a, 0) and D(0, s) count where each condition stands alone.

    ``D(0, 0) + first [D(a, 0) - D(0, 0)] + second [D(0, s) - D(0, 0)]``.

    Paper: DiffPoseTalk (Sun et al. 2024), independent guidance.
    """
    return 1.0 - first - second, first, second


def weighted_sum(estimates: Sequence[Float[Tensor, "*shape"]], weights: Sequence[float]) -> Float[Tensor, "*shape"]:
    """The guided estimate of some branches with what they count; the branches stay as they are."""
    return sum((w * d for w, d in zip(weights[1:], estimates[1:], strict=True)), weights[0] * estimates[0])


def dynamic_threshold(
    estimate: Float[Tensor, "batch *shape"], ratio: float, least: float, most: float
) -> Float[Tensor, "batch *shape"]:
    """Every sequence's estimate cut at plus and minus the size that a share ``ratio`` of its values stays below.

    Args:
        estimate: in standard deviations.
        ratio: share of the values, 0..1.
        least: the cut is never below this.
        most: the cut is never above this.

    Paper: Imagen (Saharia et al. 2022), section 2.3, with DiffPoseTalk's limits and without the division by the cut.
    """
    sizes = estimate.abs().flatten(1).quantile(ratio, dim=1).clamp(least, most)
    limit = sizes.view(-1, *[1] * (estimate.ndim - 1))
    return torch.minimum(torch.maximum(estimate, -limit), limit)
