"""Errors of estimated lips: where their points are, how far the mouth is open, how both move."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.diffusion.losses import masked_mean, velocity_loss, x0_loss
from declaim.face.layouts import N_EXPRESSION
from declaim.motion.normalizer import Normalizer

CLOSED = 0.25
"""Height of the mouth's opening above its least in a sequence, as a share of its range there, that counts as closed."""


def closed_frames(
    opening: Float[Tensor, "batch frames"], mask: Bool[Tensor, "batch frames"]
) -> Bool[Tensor, "batch frames"]:
    """True where the mouth is open by less than `CLOSED` of its range in the sequence."""
    low = opening.masked_fill(~mask, torch.inf).amin(1, keepdim=True)
    high = opening.masked_fill(~mask, -torch.inf).amax(1, keepdim=True)
    return mask & (opening - low < CLOSED * (high - low))


def lip_losses(
    beta: Float[Tensor, "batch frames expression"],
    estimate: Float[Tensor, "batch frames expression"],
    mask: Bool[Tensor, "batch frames"],
    units: Normalizer,
    closure_weight: float,
) -> dict[str, Float[Tensor, ""]]:
    """``lips``: squared error of the lip points; ``opening``: of the mouth's opening; ``velocity``: of both's changes.

    Args:
        beta: normalised expression.
        estimate: of it.
        mask: frames that count.
        units: lip directions and units.
        closure_weight: extra weight of the opening's error where the lips are closed.
    """
    std, mean = units.motion_std[:N_EXPRESSION], units.motion_mean[:N_EXPRESSION]
    lips, lips_hat = ((b * std) @ units.lip_factor for b in (beta, estimate))
    opening, opening_hat = ((b * std + mean) @ units.opening for b in (beta, estimate))
    weight = 1.0 + closure_weight * closed_frames(opening, mask).to(opening.dtype)
    n_rows = lips.shape[-1]
    return {
        "lips": n_rows * x0_loss(lips, lips_hat, mask),
        "opening": masked_mean(((opening - opening_hat).square() * weight)[..., None], mask),
        "velocity": velocity_loss(opening[..., None], opening_hat[..., None], mask)
        + n_rows * velocity_loss(lips, lips_hat, mask),
    }
