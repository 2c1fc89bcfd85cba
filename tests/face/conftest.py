"""Shared by the tests of the face layer: the model, the tracker, a public-domain picture, synthetic tracks."""

import numpy as np
import pytest
import torch

from declaim.assets import locate
from declaim.errors import AssetError
from declaim.face.camera import Pose, project
from declaim.face.layouts import TRACKER_SCORES
from declaim.face.model import FaceModel
from declaim.face.rest import lip_opening
from declaim.face.track import Track
from declaim.face.tracker import FaceTracker


@pytest.fixture(scope="session")
def model() -> FaceModel:
    return FaceModel.from_pretrained()


@pytest.fixture(scope="session")
def task():
    try:
        return locate("face-landmarker")
    except AssetError:
        pytest.skip("the face landmarker has not been pulled (declaim assets pull face-landmarker)")


@pytest.fixture(scope="session")
def tracker(task):
    with FaceTracker() as opened:
        yield opened


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return pytest.importorskip("skimage.data").astronaut()


@pytest.fixture
def synthetic(model):
    """A made-up track whose truth is known: somebody at rest for 20 frames, then talking while the head turns."""
    generator = torch.Generator().manual_seed(5)
    n, size = 120, (640, 480)
    expression = torch.zeros(n, 64)
    opening = lip_opening(model.expression_basis)
    opening = opening / opening.norm()
    expression[20:] = 0.3 * torch.randn(100, 64, generator=generator)
    expression[20:] += (torch.linspace(0.5, 4, 100)[:, None] - expression[20:] @ opening[:, None]) * opening
    rotation = torch.zeros(n, 3)
    rotation[20:] = 0.1 * torch.sin(torch.arange(100)[:, None] / torch.tensor([9.0, 14.0, 23.0]))
    translation = torch.tensor([1.0, -2.0, -40.0]).expand(n, 3)
    pose = Pose(rotation, translation, torch.zeros(n))
    shapes = model.points(expression) + model.corrective(rotation)
    scores = torch.zeros(n, len(TRACKER_SCORES))
    scores[20:, TRACKER_SCORES.index("jawOpen")] = 0.5
    track = Track(project(shapes, pose, size), scores, torch.ones(n, dtype=torch.bool), size)
    return track, expression, rotation, translation
