"""Losses on the estimated clean signal; all are means, so that weights do not depend on sizes."""

from jaxtyping import Bool, Float
from torch import Tensor


def masked_mean(
    values: Float[Tensor, "batch frames dim"], mask: Bool[Tensor, "batch frames"] | None
) -> Float[Tensor, ""]:
    """Mean over the frames where ``mask`` is True (all of them without a mask); 0 if there are none."""
    if mask is None:
        return values.mean()
    kept = mask[..., None].to(values.dtype)
    return (values * kept).sum() / (kept.sum() * values.shape[-1]).clamp(min=1.0)


def x0_loss(
    x0: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"] | None = None,
    weight: Float[Tensor, " dim"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error of the estimated clean signal.

    Paper: FD2Talk (MM 2024), eq. 3.
    """
    error = (x0 - estimate).square()
    return masked_mean(error if weight is None else error * weight, mask)


def velocity_loss(
    x0: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"] | None = None,
    weight: Float[Tensor, " dim"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error of the frame-to-frame differences.

    Paper: MDM (Tevet et al. 2023), eq. 5.
    """
    both = None if mask is None else mask[:, 1:] & mask[:, :-1]
    return x0_loss(x0.diff(dim=1), estimate.diff(dim=1), both, weight)


def acceleration_loss(
    x0: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"] | None = None,
) -> Float[Tensor, ""]:
    """Squared error of the second differences over time: smoothness, and no kink where a window begins.

    Paper: DiffPoseTalk (Sun et al. 2024), smoothness losses.
    """
    both = None if mask is None else mask[:, 1:] & mask[:, :-1]
    return velocity_loss(x0.diff(dim=1), estimate.diff(dim=1), both)
