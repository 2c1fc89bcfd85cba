import numpy as np
import pytest
import torch

from declaim.errors import ConfigError, ManyFaces, NoFace
from declaim.face.camera import Pose, project, unproject
from declaim.media.image_io import write_image
from declaim.render.portrait import LARGEST_SIDE, load_portrait


def test_landmarks_and_pose_belong_together(portrait, model):
    """Landmarks unprojected by the pose lie on the model's face, with depth and all."""
    size = portrait.image.shape[1], portrait.image.shape[0]
    pose = Pose(portrait.rotation, portrait.translation, torch.zeros(()))
    shape = unproject(portrait.landmarks, pose, size)
    assert torch.allclose(project(shape, pose, size), portrait.landmarks, atol=1e-3)
    off = shape - model.points(portrait.expression, portrait.identity)
    assert float(off.norm(dim=1).mean()) < 0.3
    assert float(off.mean(0).norm()) < 0.15


def test_file_and_array_agree(photograph, portrait, model, tracker, tmp_path):
    path = write_image(tmp_path / "ein Bild é.png", photograph)
    loaded = load_portrait(path, model=model, tracker=tracker)
    assert (loaded.image == portrait.image).all()
    assert torch.equal(loaded.landmarks, portrait.landmarks)


@pytest.mark.parametrize(("size", "crop", "shape"), [(256, "none", (256, 256)), (201, "head", (201, 201))])
def test_size_and_crop(photograph, portrait, model, tracker, size, crop, shape):
    made = load_portrait(photograph, size=size, crop=crop, model=model, tracker=tracker)
    assert made.image.shape[:2] == shape
    low, high = made.landmarks[:, :2].amin(0), made.landmarks[:, :2].amax(0)
    assert (low > 0).all()
    assert (high < size).all()
    if crop == "head":
        assert 0.25 < float((high - low)[1]) / size < 0.6


def test_large_pictures_are_scaled_to_full_hd(photograph, model, tracker):
    large = np.kron(photograph, np.ones((5, 5, 1), np.uint8))
    assert max(load_portrait(large, model=model, tracker=tracker).image.shape) == LARGEST_SIDE


def test_what_cannot_be_used(photograph, model, tracker):
    with pytest.raises(NoFace, match="no face"):
        load_portrait(np.full((300, 300, 3), 128, np.uint8), model=model, tracker=tracker)
    small = np.ascontiguousarray(photograph[::4, ::4])
    with pytest.raises(NoFace):
        load_portrait(small, model=model, tracker=tracker)
    twins = np.hstack([photograph, photograph])
    with pytest.raises(ManyFaces, match="--face"):
        load_portrait(twins, model=model, tracker=tracker)
    right = load_portrait(twins, face=1, model=model, tracker=tracker)
    assert float(right.landmarks[:, 0].min()) > 512
    with pytest.raises(ConfigError, match="size"):
        load_portrait(photograph, size=10, model=model, tracker=tracker)
