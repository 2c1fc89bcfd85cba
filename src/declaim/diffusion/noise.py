"""Noise that belongs to a frame or to a row of a batch, whatever window, batch or process it is drawn in."""

import torch
from jaxtyping import Float, Int64
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


def row_generators(seeds: Int64[Tensor, " rows"], stream: int = 0) -> list[torch.Generator]:
    """A generator for every row of a batch.

    Args:
        seeds: of the rows.
        stream: separates independent uses of one seed.
    """
    return [seeded_generator(seed, stream) for seed in seeds.tolist()]


def row_noise(seeds: Int64[Tensor, " rows"], *shape: int, stream: int = 0) -> Float[Tensor, "rows *shape"]:
    """Standard normal noise that depends on each row's seed alone, on the CPU.

    Args:
        seeds: of the rows.
        shape: of a row.
        stream: separates independent uses of one seed.
    """
    return torch.stack([torch.randn(shape, generator=generator) for generator in row_generators(seeds, stream)])
