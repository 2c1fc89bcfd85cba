"""Classifier-free guidance: functions from denoisers to a denoiser. Nothing is changed in place."""

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


def incrementally_guided(
    none: Denoise, first: Denoise, both: Denoise, first_weight: float, second_weight: float
) -> Denoise:
    """Two conditions, each with its own weight, the second on top of the first.

    Paper: InstructPix2Pix (Brooks et al. 2023), eq. 3, as DiffPoseTalk uses it for speech and style.
    """

    def denoise(x_t: Float[Tensor, "*shape"], step: int) -> Float[Tensor, "*shape"]:
        d_none, d_first, d_both = none(x_t, step), first(x_t, step), both(x_t, step)
        return d_none + first_weight * (d_first - d_none) + second_weight * (d_both - d_first)

    return denoise
