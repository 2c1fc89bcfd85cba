"""The second look at a video: every piece's face is followed, and the square around it is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from declaim.data.prepare.survey import LONGEST_SIDE, Piece, Square
from declaim.errors import NoFace
from declaim.face.tracker import FaceTracker, Following, Track
from declaim.media import read_frames, write_video
from declaim.pretrained import atomic_file, save_tensors
from declaim.types import Frames


@dataclass(frozen=True)
class Take:
    """What a piece still needs.

    Attributes:
        piece: which.
        track: file for the tracker's points; None if it is there.
        picture: file for the square; None if it is there or not wanted.
    """

    piece: Piece
    track: Path | None
    picture: Path | None


def take_all(path: Path, takes: Sequence[Take], picture_px: int, scale: float) -> None:
    """Follow and cut out the faces of ``takes``, in constant memory; one pass unless pieces overlap.

    A piece whose face is not found again is left without files.

    Args:
        path: the video.
        takes: in any order.
        picture_px: side of the squares.
        scale: pixels of the file per pixel of the picture as it is read; tracks are kept in the file's.

    Raises:
        MediaError: the file cannot be used.
        CapacityError: the disk is full.
    """
    with FaceTracker() as tracker:
        for lane in _lanes(takes):
            stream = _Stream(path)
            for take in lane:
                _take(tracker, stream.between(take.piece.start, take.piece.stop), take, picture_px, scale)
            stream.close()


def _lanes(takes: Sequence[Take]) -> list[list[Take]]:
    """Takes in as few groups as possible, each without overlap and in order of time."""
    lanes: list[list[Take]] = []
    for take in sorted(takes, key=lambda t: (t.piece.start, t.piece.box)):
        free = [lane for lane in lanes if lane[-1].piece.stop <= take.piece.start]
        if free:
            free[0].append(take)
        else:
            lanes.append([take])
    return lanes


class _Stream:
    """The frames of a video, read once from start to end; parts of it on demand, in order."""

    def __init__(self, path: Path) -> None:
        self._runs = read_frames(path, max_side=LONGEST_SIDE)
        self._run: Frames | None = None
        self._first = 0  # of the run in hand

    def between(self, start: int, stop: int) -> Iterator[Frames]:
        """The frames from ``start`` to ``stop - 1``, as runs."""
        while True:
            if self._run is not None:
                a, b = max(start - self._first, 0), min(stop - self._first, len(self._run))
                if a < b:
                    yield Frames(self._run.images[a:b], self._run.fps)
                if stop <= self._first + len(self._run):
                    return
                self._first += len(self._run)
            self._run = next(self._runs, None)
            if self._run is None:
                return

    def close(self) -> None:
        """Close the file."""
        self._runs.close()  # type: ignore[attr-defined]


def _take(tracker: FaceTracker, runs: Iterator[Frames], take: Take, picture_px: int, scale: float) -> None:
    following = tracker.follow(take.piece.box) if take.track is not None else None
    try:
        seen = _shown_to(following, runs)
        if take.picture is None:
            for _ in seen:
                pass
        else:
            write_video(take.picture, _squares(seen, take.piece.square, picture_px))
    finally:
        if following is not None:
            following.close()
    if following is None or take.track is None:
        return
    try:
        track = following.result()
    except NoFace:
        return
    with atomic_file(take.track) as partial:
        save_tensors(partial, _tensors(track, scale))


def _shown_to(following: Following | None, runs: Iterator[Frames]) -> Iterator[Frames]:
    for run in runs:
        if following is not None:
            for image in run.images:
                following.see(image, run.fps)
        yield run


def _squares(runs: Iterator[Frames], square: Square, side: int) -> Iterator[Frames]:
    left, top, whole = square
    for run in runs:
        parts = run.images[:, top : top + whole, left : left + whole]
        how = cv2.INTER_AREA if whole > side else cv2.INTER_CUBIC
        yield Frames(np.stack([cv2.resize(part, (side, side), interpolation=how) for part in parts]), run.fps)


def _tensors(track: Track, scale: float) -> dict[str, torch.Tensor]:
    size = torch.tensor([round(side * scale) for side in track.size])
    points = track.points if scale == 1.0 else track.points * scale
    return {"points": points, "scores": track.scores, "valid": track.valid, "size": size}
