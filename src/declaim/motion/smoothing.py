"""Filtering over time."""

import torch
from jaxtyping import Float
from torch import Tensor


def reach_frames(sigma: float) -> int:
    """Frames to either side that `smoothed` looks at."""
    return round(3.0 * sigma)


def smoothed(values: Float[Tensor, "frames columns"], sigma: float) -> Float[Tensor, "frames columns"]:
    """``values`` convolved with a Gaussian over frames; the ends are held.

    Args:
        values: one row per frame.
        sigma: standard deviation in frames; 0 changes nothing.
    """
    if sigma <= 0.0:
        return values
    return filtered(values, gaussian(sigma))


def gaussian(sigma: float) -> Float[Tensor, " taps"]:
    """Kernel of `reach_frames` to either side, of sum 1; ``sigma`` is above 0."""
    reach = reach_frames(sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
    return kernel / kernel.sum()


def filtered(
    values: Float[Tensor, "frames columns"], kernel: Float[Tensor, " taps"]
) -> Float[Tensor, "frames columns"]:
    """``values`` convolved with a symmetric ``kernel`` of an odd number of frames; the ends are held."""
    if len(values) == 0:
        return values
    reach = len(kernel) // 2
    padded = torch.cat([values[:1].expand(reach, -1), values, values[-1:].expand(reach, -1)])
    # As a picture of one channel: a third of the time that columns as signals of their own take.
    return torch.nn.functional.conv2d(padded[None, None], kernel[None, None, :, None])[0, 0]
