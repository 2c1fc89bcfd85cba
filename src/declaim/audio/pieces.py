"""Long speech in overlapping pieces of fixed place, so that memory is constant and nothing depends on batching.

    piece 0  |............750 frames............|
    piece 1                         |............750 frames............|
    used     |-------- piece 0 --------|><|-------- piece 1 ...
                                    ^ 25 dropped ^ 50 cross-faded ^ 25 dropped

A piece always starts at a multiple of ``STEP``: a frame's features never depend on speech more than 30 s later.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

PIECE = 750
"""Frames of a piece: 30 s, what Whisper's encoder takes."""
STEP = 650
"""Frames from one piece's start to the next one's."""
FADE = 50
"""Frames over which two neighbours are mixed; the rest of their overlap, at the pieces' very ends, is dropped."""

Sound = Callable[[int, int], Float[Tensor, " samples"]]
"""Gives the 16 kHz samples of the frames from one to another; fewer where the speech ends in between."""
EncodePiece = Callable[[int, int], Float[Tensor, "piece dim"]]
"""Gives the features of the frames from one to another, encoded on their own."""


def piece_starts(n_frames: int) -> list[int]:
    """First frames of the pieces that cover ``n_frames``."""
    return [0, *range(STEP, n_frames - (PIECE - STEP), STEP)]


class Pieces:
    """Features of speech whose pieces are encoded once each, as long as they are the newest two.

    Args:
        encode_piece: gives the features of frames ``start`` to ``stop - 1``, encoded on their own.
    """

    def __init__(self, encode_piece: EncodePiece) -> None:
        self._encode = encode_piece
        self._kept: dict[int, tuple[int, Tensor]] = {}

    def between(self, begin: int, end: int, n_frames: int) -> Float[Tensor, "block dim"]:
        """Features of the frames ``begin`` to ``end - 1`` of a speech of ``n_frames``, neighbours mixed linearly.

        The same rows, bit for bit, however a speech is cut into calls.
        """
        starts, edge = piece_starts(n_frames), (PIECE - STEP - FADE) // 2
        parts = []
        for k, start in enumerate(starts):
            lower = start + edge if k else 0
            upper = starts[k + 1] + edge if k + 1 < len(starts) else n_frames
            first, last = max(begin, lower), min(end, upper)
            if first >= last:
                continue
            rows = self._piece(start, n_frames)[first - start : last - start]
            fading = min(last, lower + FADE) - first if k else 0
            if fading > 0:
                tail = self._piece(starts[k - 1], n_frames)[first - starts[k - 1] :][:fading]
                rise = ((torch.arange(first, first + fading) - lower + 0.5) / FADE)[:, None]
                rows = torch.cat([tail + rise * (rows[:fading] - tail), rows[fading:]])
            parts.append(rows)
        return torch.cat(parts)

    def _piece(self, start: int, n_frames: int) -> Float[Tensor, "piece dim"]:
        stop = min(start + PIECE, n_frames)
        if self._kept.get(start, (0,))[0] != stop:
            self._kept[start] = (stop, self._encode(start, stop))
            for old in sorted(self._kept)[:-2]:
                del self._kept[old]
        return self._kept[start][1]


def crossfaded(n_frames: int, encode_piece: EncodePiece) -> Iterator[Float[Tensor, "block dim"]]:
    """Features of ``n_frames`` in consecutive blocks, one for every piece; see `Pieces`.

    Args:
        n_frames: frames in all, at least 1.
        encode_piece: gives the features of frames ``start`` to ``stop - 1``, encoded on their own.
    """
    pieces, starts, edge = Pieces(encode_piece), piece_starts(n_frames), (PIECE - STEP - FADE) // 2
    borders = [0, *(start + edge for start in starts[1:]), n_frames]
    for begin, end in pairwise(borders):
        yield pieces.between(begin, end, n_frames)
