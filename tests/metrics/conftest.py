"""Tracked first frames of footage clips."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from declaim.assets import state


@pytest.fixture(scope="session")
def first_frames() -> Callable[[Path], tuple[np.ndarray, torch.Tensor]]:
    """Function from a video to its first frame and the tracker's points in it."""
    if state("face-landmarker") != "complete":
        pytest.skip("not fetched: declaim assets pull face-landmarker")
    from declaim.face.tracker import FaceTracker
    from declaim.media import read_frames

    def read(path: Path) -> tuple[np.ndarray, torch.Tensor]:
        image = next(iter(read_frames(path))).images[0]
        with FaceTracker() as tracker:
            return image, tracker.portrait_face(image).points

    return read
