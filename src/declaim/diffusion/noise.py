"""Noise that belongs to a frame, whatever window, batch or process it is drawn in."""

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.types import seeded_generator

BLOCK = 64
"""Frames that share a generator; a frame's noise depends on its block's and its own place alone."""


def frame_noise(seed: int, stream: int, start: int, stop: int, dim: int) -> Float[Tensor, "frames dim"]:
    """Standard normal noise of the absolute frames ``start`` to ``stop - 1``.

    Args:
        seed: the take.
        stream: separates independent uses of one seed.
        start: first frame, at least 0.
        stop: frame after the last.
        dim: columns.
    """
    blocks = range(start // BLOCK, -(-stop // BLOCK))
    drawn = [torch.randn(BLOCK, dim, generator=seeded_generator(seed, stream, block)) for block in blocks]
    first = (start // BLOCK) * BLOCK
    return torch.cat(drawn)[start - first : stop - first] if drawn else torch.zeros(0, dim)
