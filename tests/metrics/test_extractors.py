"""MobileFaceNet: alignment against OpenCV, one person against others on real footage."""

import csv

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from declaim.assets import state
from declaim.errors import ConfigError
from declaim.metrics.extractors import CROP, TEMPLATE, MobileFaceNet, aligned_face, five_points

needs_network = pytest.mark.skipif(
    state("mobilefacenet") != "complete", reason="not fetched: declaim assets pull mobilefacenet"
)


def landmarks_from(five: np.ndarray) -> torch.Tensor:
    """Tracker points whose eyes, nose and mouth corners are ``five``."""
    from declaim.face import layouts

    points = np.zeros((layouts.N_POINTS, 3))
    points[sorted({*layouts.RIGHT_EYE_UPPER, *layouts.RIGHT_EYE_LOWER}), :2] = five[0]
    points[sorted({*layouts.LEFT_EYE_UPPER, *layouts.LEFT_EYE_LOWER}), :2] = five[1]
    points[layouts.NOSE_TIP, :2], points[61, :2], points[291, :2] = five[2:]
    return torch.from_numpy(points).float()


def test_aligned_face_undoes_a_rotation_scale_and_shift():
    angle, scale = 0.4, 1.7
    linear = scale * np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    matrix = np.c_[linear, (140.0, -30.0)]
    picture = cv2.GaussianBlur(astronaut()[20:220, 130:330], (0, 0), 3)
    straight = cv2.warpAffine(picture, np.c_[np.eye(2), (0.0, 0.0)], (CROP, CROP))
    moved = cv2.warpAffine(picture, matrix, (400, 400))
    points = landmarks_from(TEMPLATE @ linear.T + matrix[:, 2])
    np.testing.assert_allclose(five_points(points), TEMPLATE @ linear.T + matrix[:, 2], atol=1e-4)
    crop = aligned_face(moved, points)
    inside = (slice(20, 92), slice(20, 92))
    assert np.abs(crop[inside].astype(int) - straight[inside].astype(int)).mean() < 1.0


def test_missing_package_is_one_clear_sentence(without_package):
    without_package("ai_edge_litert")
    with pytest.raises(ConfigError, match="pip install ai-edge-litert"):
        MobileFaceNet.from_pretrained()


@needs_network
def test_embeddings_do_not_depend_on_the_batch():
    pytest.importorskip("ai_edge_litert")
    network = MobileFaceNet.from_pretrained()
    faces = np.random.default_rng(0).integers(0, 256, (5, CROP, CROP, 3)).astype(np.uint8)
    together, alone = network.embed(faces), torch.cat([network.embed(face[None]) for face in faces])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(5))
    assert network.embed(faces[:0]).shape == (0, 192)


@needs_network
@pytest.mark.footage
def test_csim_knows_people(footage, first_frames):
    """Two clips of one person are far more alike than two people."""
    pytest.importorskip("ai_edge_litert")
    network = MobileFaceNet.from_pretrained()
    with (footage / "manifest.csv").open() as lines:
        rows = [r for r in csv.DictReader(lines) if r["speaker"] in {"grid-s2", "grid-s3", "grid-s4", "grid-s5"}]
    chosen = [[r["path"] for r in rows if r["speaker"] == s][:2] for s in ("grid-s2", "grid-s3", "grid-s4", "grid-s5")]
    faces = {path: first_frames(footage / path) for pair in chosen for path in pair}
    same = [network.csim(*faces[a], *faces[b]) for a, b in chosen]
    other = [network.csim(*faces[p[0]], *faces[q[0]]) for p in chosen for q in chosen if p is not q]
    assert min(same) > 0.75
    assert max(other) < 0.6
    assert np.mean(same) - np.mean(other) > 0.5
