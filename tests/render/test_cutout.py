import math

import cv2
import numpy as np
import pytest
import torch

from declaim.face.camera import Pose, project
from declaim.face.mirror import expression_mirror, mirror_motion
from declaim.face.model import FaceModel
from declaim.face.square import square_corner, square_side
from declaim.render.coefficients import HEAD_CM, N_COEFFICIENTS, coefficients, mirror_coefficients
from declaim.render.cutout import HeadSquare
from declaim.render.geometry import HeadPoses
from declaim.types import Motion


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3)).astype(np.uint8)
    return np.stack([cv2.GaussianBlur(cv2.resize(image, (320, 240)), (0, 0), 4) for image in noise])


def points(left: float, top: float, right: float, bottom: float) -> torch.Tensor:
    return torch.tensor([[left, top, 0.0], [right, bottom, 3.0], [(left + right) / 2, (top + bottom) / 2, -9.0]])


def test_the_square_of_a_face_is_the_corpuss():
    square = HeadSquare.of(points(120, 80, 180, 160), (320, 240))
    box = 120.0, 80.0, 180.0, 160.0
    assert square.side == round(square_side(box, 80.0)) == 152
    assert (square.left, square.top) == tuple(round(v) for v in square_corner(box, 80.0, 152.0))
    assert abs((square.left + square.side / 2) - 150) <= 0.5
    assert square.top + square.side / 2 < 120  # more hair than throat


def test_it_stays_inside_the_picture_where_it_fits_and_reaches_out_where_it_does_not():
    near_the_edge = HeadSquare.of(points(5, 10, 65, 90), (320, 240))
    assert (near_the_edge.left, near_the_edge.top) == (0, 0)
    tall = HeadSquare.of(points(20, 20, 280, 220), (320, 240))
    assert tall.side > 240
    assert tall.top < 0
    assert tall.top + tall.side > 240


def test_beyond_the_picture_its_edge_is_repeated(pictures):
    cut = HeadSquare(-30.0, 10.0, 100.0).cut(pictures, 100)
    assert (cut[:, :, :30] == pictures[:, 10:110, :1]).all()


def poses(motion: Motion) -> HeadPoses:
    from declaim.face.rotations import matrix_from_axis_angle

    return HeadPoses(
        matrix_from_axis_angle(motion["rotation"].double()).numpy(), motion["translation"].double().numpy()
    )


def somebody(motion_of) -> Motion:
    generator = torch.Generator().manual_seed(0)
    return motion_of(torch.randn(3, 64, generator=generator), (0.1, -0.4, 0.2), (1.5, -2.0, -52.0))


def test_coefficients_say_where_the_head_is_in_the_square(motion_of):
    motion, size, square = somebody(motion_of), (320, 240), HeadSquare(100.0, 60.0, 140.0)
    rows = coefficients(motion["expression"], poses(motion), size, square)
    assert rows.shape == (3, N_COEFFICIENTS)
    torch.testing.assert_close(rows[:, :67], motion.values[:, :67])
    pose = Pose(torch.zeros(3), motion["translation"][0], torch.zeros(()))
    origin, beside = project(torch.tensor([[0.0, 0, 0], [1.0, 0, 0]]), pose, size)
    torch.testing.assert_close(rows[0, 67:69], 2 * (origin[:2] - torch.tensor([100.0, 60])) / 140 - 1)
    assert math.exp(float(rows[0, 69])) == pytest.approx(float(beside[0] - origin[0]) * HEAD_CM / 140, rel=1e-5)


def test_coefficients_do_not_depend_on_the_pictures_size(motion_of):
    motion = somebody(motion_of)
    small = coefficients(motion["expression"], poses(motion), (320, 240), HeadSquare(100.0, 60.0, 140.0))
    large = coefficients(motion["expression"], poses(motion), (960, 720), HeadSquare(300.0, 180.0, 420.0))
    torch.testing.assert_close(small, large)


def test_mirrored_coefficients_are_those_of_the_mirrored_picture(motion_of):
    motion, model = somebody(motion_of), FaceModel.from_pretrained()
    size, square = (320, 240), HeadSquare(100.0, 60.0, 140.0)
    rows = coefficients(motion["expression"], poses(motion), size, square)
    mirrored, other_side = mirror_motion(motion, model), HeadSquare(320.0 - 100.0 - 140.0, 60.0, 140.0)
    expected = coefficients(mirrored["expression"], poses(mirrored), size, other_side)
    torch.testing.assert_close(mirror_coefficients(rows, expression_mirror(model)), expected, atol=1e-4, rtol=1e-4)
