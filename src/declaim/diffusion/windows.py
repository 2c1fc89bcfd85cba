"""Windows over speech of any length, each continuing from the last frames of the one before.

    frames    0         55        110       165
    window 0  |== 55 new ==|...|
    window 1           |pre|== 55 new ==|...|
    window 2                        |pre|== 55 new ==|...|

A window's prefix holds frames that are finished already; the network sees them clean and continues them. The frames
ahead (dots) are generated too, so that the new ones know what comes next, and thrown away. Windows run one after
another: nothing depends on batching, and a clip's motion never depends on speech far behind the present window.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A window in absolute frames: ``begin <= start < stop <= end``.

    Attributes:
        begin: first frame of the given prefix.
        start: first new frame.
        stop: frame after the last new one.
        end: frame after the last one that is generated and thrown away.
    """

    begin: int
    start: int
    stop: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin


def windows(n_frames: int, new: int, prefix: int, ahead: int = 0) -> Iterator[Window]:
    """The windows that cover ``n_frames``, in order.

    Args:
        n_frames: frames in all.
        new: new frames per window; the last window may have fewer.
        prefix: given frames per window; the first window has none.
        ahead: frames that are generated beyond the new ones, where the clip goes on.
    """
    for start in range(0, n_frames, new):
        stop = min(start + new, n_frames)
        yield Window(max(start - prefix, 0), start, stop, min(stop + ahead, n_frames))
