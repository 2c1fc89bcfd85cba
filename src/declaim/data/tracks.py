"""Tracks of footage, each made once: a folder of small files, so that an interrupted run goes on where it was."""

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from declaim.face.tracker import FaceTracker, Track
from declaim.media import read_frames
from declaim.pretrained import atomic_file


def cached_track(video: Path, folder: Path) -> Track:
    """The largest face of a video, tracked now or earlier.

    Args:
        video: the file; its content, not its name, decides whether it was tracked before.
        folder: where tracks are kept; made if it is not there.

    Raises:
        NoFace: no picture shows a face.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cached = folder / f"{hashlib.sha256(video.read_bytes()).hexdigest()[:32]}.npz"
    if cached.is_file():
        return _read(cached)
    with FaceTracker() as tracker:
        track = tracker.track(read_frames(video), face="largest")
    with atomic_file(cached) as partial:
        np.savez(
            partial,
            points=track.points.numpy(),
            scores=track.scores.numpy(),
            valid=track.valid.numpy(),
            size=np.array(track.size),
            fps=np.array((track.fps.numerator, track.fps.denominator)),
        )
    return track


def _read(path: Path) -> Track:
    with np.load(path) as z:
        points, scores, valid = (torch.from_numpy(z[name]) for name in ("points", "scores", "valid"))
        width, height = z["size"].tolist()
        return Track(points, scores, valid, (width, height), Fraction(*z["fps"].tolist()))
