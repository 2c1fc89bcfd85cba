"""The first look at a video: where it is cut, which faces stay, and so which pieces of it become clips."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from declaim.data.prepare.shots import ShotDetector
from declaim.data.prepare.sightings import Seen, followed
from declaim.face.faces import RIVAL, Box
from declaim.face.square import square_corner, square_side
from declaim.face.tracker import FaceTracker
from declaim.media import read_frames
from declaim.timebase import FPS

EVERY = 5
"""Faces are looked for in every fifth frame."""
LONGEST_SIDE = 1920
"""Larger pictures are read at this size: faces are not followed better in more pixels, but much more slowly."""

Square = tuple[int, int, int]
"""Left, top and side, whole pixels."""


class Piece(BaseModel):
    """One face in one shot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int
    """First frame, 25 a second."""
    stop: int
    """Frame after the last."""
    box: Box
    """Where the face is seen first."""
    square: Square
    """Holds the face in all frames."""
    face_px: float
    """Median height of the face. All in pixels of the picture as it is read."""
    rivals: float
    """Share of the time in which another face is seen that is at least 0.6 times as tall."""


class Survey(BaseModel):
    """What a first look at a video shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int
    size: tuple[int, int]
    """Width and height of the picture as it is read."""
    cuts: tuple[int, ...]
    """Frames with which a new shot begins."""
    pieces: tuple[Piece, ...]
    too_short: int
    """Pieces that were shorter than asked for."""


def survey(path: Path, shortest: int, longest: int) -> Survey:
    """Look through a video, in constant memory.

    Args:
        path: the file.
        shortest: least frames of a piece.
        longest: most frames of a piece.

    Raises:
        MediaError: the file cannot be used.
        ConfigError: PySceneDetect is not installed.
    """
    shots, n_frames, size = ShotDetector(), 0, (0, 0)
    sightings: list[tuple[int, list[Box]]] = []
    with FaceTracker() as tracker:
        for run in read_frames(path, max_side=LONGEST_SIDE):
            size = (run.images.shape[2], run.images.shape[1])
            for image in run.images:
                shots.see(image)
                if n_frames % EVERY == 0:
                    sightings.append((n_frames, [face.box for face in tracker.detect(image, thorough=False)]))
                n_frames += 1
    found = [
        piece
        for first, last in zip([0, *shots.cuts], [*shots.cuts, n_frames], strict=True)
        for seen in followed([(frame, boxes) for frame, boxes in sightings if first <= frame < last])
        for piece in _pieces(seen, first, last, longest, size)
    ]
    kept = tuple(piece for piece in found if piece.stop - piece.start >= shortest)
    return Survey(frames=n_frames, size=size, cuts=tuple(shots.cuts), pieces=kept, too_short=len(found) - len(kept))


def _pieces(seen: Seen, first: int, last: int, longest: int, size: tuple[int, int]) -> list[Piece]:
    """A face's stretch of frames within a shot, cut into equal parts where it is too long."""
    start = max(first, seen.frames[0] - EVERY + 1) if seen.sure_start else seen.frames[0]
    stop = min(last, seen.frames[-1] + EVERY) if seen.sure_end else seen.frames[-1] + 1
    parts = -(-(stop - start) // longest)
    borders = [start + (stop - start) * i // parts for i in range(parts + 1)]
    return [_piece(seen, a, b, size) for a, b in pairwise(borders)]


def _piece(seen: Seen, start: int, stop: int, size: tuple[int, int]) -> Piece:
    rows = [i for i, frame in enumerate(seen.frames) if start <= frame < stop] or [_nearest(seen.frames, start)]
    boxes = [seen.boxes[i] for i in rows]
    heights = sorted(box[3] - box[1] for box in boxes)
    height = heights[len(heights) // 2]
    return Piece(
        start=start,
        stop=stop,
        box=boxes[0],
        square=_square(boxes, height, size),
        face_px=height,
        rivals=sum(seen.rivals[i] >= RIVAL for i in rows) / len(rows),
    )


def _nearest(frames: Sequence[int], frame: int) -> int:
    return min(range(len(frames)), key=lambda i: abs(frames[i] - frame))


def _square(boxes: Sequence[Box], height: float, size: tuple[int, int]) -> Square:
    """The square around all boxes, with room, within the picture."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    box = left, top, right, bottom
    whole = min(round(square_side(box, height)), *size)
    x, y = (round(v) for v in square_corner(box, height, float(whole)))
    return min(max(x, 0), size[0] - whole), min(max(y, 0), size[1] - whole), whole


def frames_of(seconds: float) -> int:
    """Whole frames in ``seconds``."""
    return round(seconds * FPS)
