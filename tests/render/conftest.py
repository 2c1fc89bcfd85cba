from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from declaim.assets import shipped, state
from declaim.face.layouts import (
    FACE64,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker
from declaim.media.image_io import read_image
from declaim.render.portrait import load_portrait
from declaim.types import Motion, Portrait


@pytest.fixture(scope="session")
def model() -> FaceModel:
    return FaceModel.from_pretrained()


@pytest.fixture(scope="session")
def tracker() -> Iterator[FaceTracker]:
    if state("face-landmarker") != "complete":
        pytest.skip("not fetched: declaim assets pull face-landmarker")
    with FaceTracker() as opened:
        yield opened


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """The demo portrait: a woman who smiles and shows her teeth."""
    return read_image(shipped("demo-portrait") / "portrait.png")


@pytest.fixture(scope="session")
def portrait(photograph: np.ndarray, model: FaceModel, tracker: FaceTracker) -> Portrait:
    return load_portrait(photograph, model=model, tracker=tracker)


@pytest.fixture(scope="session")
def jaw_open(model: FaceModel) -> Tensor:
    """An expression with the jaw dropped."""
    shape = model.mean.clone()
    height = shape[:, 1]
    lower = list(LIPS_INNER_LOWER[1:-1])
    drop = ((shape[lower, 1].max() + 0.1 - height) / 0.4).clamp(0, 1) * (height < shape[lower, 1].max() + 0.1)
    drop[list(LIPS_INNER_UPPER)] = 0
    shape[:, 1] -= 1.2 * drop
    return model.fit_expression(shape, model.mean)


@pytest.fixture(scope="session")
def eyes_shut(model: FaceModel) -> Tensor:
    """An expression with the lids closed."""
    shape = model.mean.clone()
    for upper, lower in ((RIGHT_EYE_UPPER, RIGHT_EYE_LOWER), (LEFT_EYE_UPPER, LEFT_EYE_LOWER)):
        shape[list(upper)] = shape[list(lower)]
    return model.fit_expression(shape, model.mean)


def make_motion(
    expression: Tensor, rotation: tuple[float, ...] = (0, 0, 0), translation: tuple[float, ...] = (0, 0, 0)
) -> Motion:
    """One frame, or one for each row of ``expression``."""
    rows = torch.atleast_2d(expression)
    pose = torch.tensor([*rotation, *translation], dtype=torch.float32).expand(len(rows), 6)
    return Motion(torch.cat([rows, pose], 1), FACE64)


@pytest.fixture(scope="session")
def motion_of() -> Callable[..., Motion]:
    return make_motion
