"""Long speech in overlapping pieces of fixed place, so that memory is constant and nothing depends on batching.

    piece 0  |............750 frames............|
    piece 1                         |............750 frames............|
    used     |-------- piece 0 --------|><|-------- piece 1 ...
                                    ^ 25 dropped ^ 50 cross-faded ^ 25 dropped

A piece always starts at a multiple of ``STEP``: a frame's features never depend on speech more than 30 s later.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

PIECE = 750
"""Frames of a piece: 30 s, what Whisper's encoder takes."""
STEP = 650
"""Frames from one piece's start to the next one's."""
FADE = 50
"""Frames over which two neighbours are mixed; the rest of their overlap, at the pieces' very ends, is dropped."""


def piece_starts(n_frames: int) -> list[int]:
    """First frames of the pieces that cover ``n_frames``."""
    return [0, *range(STEP, n_frames - (PIECE - STEP), STEP)]


def crossfaded(
    n_frames: int, encode_piece: Callable[[int, int], Float[Tensor, "piece dim"]]
) -> Iterator[Float[Tensor, "block dim"]]:
    """Features of ``n_frames`` in consecutive blocks, neighbouring pieces mixed linearly.

    Args:
        n_frames: frames in all, at least 1.
        encode_piece: gives the features of frames ``start`` to ``stop - 1``, encoded on their own.
    """
    starts = piece_starts(n_frames)
    rise = ((torch.arange(FADE) + 0.5) / FADE)[:, None]
    edge = (PIECE - STEP - FADE) // 2
    tail: Tensor | None = None
    for start in starts:
        piece = encode_piece(start, min(start + PIECE, n_frames))
        if tail is not None:
            mixed = tail + rise * (piece[edge : edge + FADE] - tail)
            piece = torch.cat([mixed, piece[edge + FADE :]])
        if start == starts[-1]:
            yield piece
        else:
            body = len(piece) - edge - FADE
            tail = piece[body : body + FADE]
            yield piece[:body]
