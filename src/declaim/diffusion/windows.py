"""Windows over speech of any length, each continuing from the last frames of the one before.

    frames    0         85        170       255
    window 0  |== 85 new ==|
    window 1     |. prefix .|== 85 new ==|
    window 2                  |. prefix .|== 85 new ==|

A window's prefix holds frames that are finished already; the network sees them clean and continues them. Windows
run one after another, so a clip's motion never depends on how many frames were asked for after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Frames ``start`` to ``stop - 1`` are new; the ``prefix`` frames before them are given."""

    start: int
    stop: int
    prefix: int

    @property
    def begin(self) -> int:
        """First frame of the prefix."""
        return self.start - self.prefix

    def __len__(self) -> int:
        return self.stop - self.begin


def windows(n_frames: int, new: int, prefix: int) -> Iterator[Window]:
    """The windows that cover ``n_frames``.

    Args:
        n_frames: frames in all.
        new: new frames per window; the last window may have fewer.
        prefix: given frames per window; the first window has none.
    """
    for start in range(0, n_frames, new):
        yield Window(start, min(start + new, n_frames), min(prefix, start))
