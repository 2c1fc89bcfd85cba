"""What the head looks like: normals of a known shape, colours where they belong, an iris in its place."""

import numpy as np
import pytest
import torch

from declaim.face.head3d import PARTS, Head3D
from declaim.face.head3d_look import (
    EYE_CM,
    HAIR,
    IRIS_CM,
    PART_COLOURS,
    PUPIL_CM,
    SKIN,
    eye_coordinates,
    eye_picture,
    linear,
    normals,
    vertex_colours,
)


@pytest.fixture(scope="module")
def head():
    return Head3D.from_pretrained()


def test_normals_of_an_octahedron_point_away_from_its_middle():
    corners = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    faces = torch.tensor([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    torch.testing.assert_close(normals(corners, faces), corners)
    torch.testing.assert_close(normals(torch.stack([corners, 2 * corners]), faces)[1], corners)


def test_the_head_faces_outwards(head):
    facing = normals(head.rest, head.triangles)
    assert facing[head.rest[:, 2].argmax(), 2] > 0.9  # the tip of the nose looks at the viewer
    assert facing[head.rest[:, 1].argmax(), 1] > 0.9  # the crown looks up


def test_colours_are_where_they_belong(head):
    colours = vertex_colours(head)
    assert ((colours >= 0) & (colours <= 1)).all()

    def at(x, y, z):
        skin = torch.nonzero(head.part == 0)[:, 0]
        return colours[skin[(head.rest[skin] - torch.tensor([x, y, z])).norm(dim=-1).argmin()]]

    for place in ((0.0, 14.0, -2.0), (0.0, 4.0, -12.0)):  # crown and back of the head
        assert (at(*place) - torch.tensor(HAIR)).abs().max() < 0.15
    for place in ((4.0, -3.0, 4.0), (0.0, -12.0, 0.0), (0.0, -0.5, 7.0)):  # cheek, throat, nose
        assert (at(*place) - torch.tensor(SKIN)).abs().max() < 0.05
    assert (colours[head.lips] == torch.tensor(PART_COLOURS["lips"])).all()
    assert at(3.0, 5.0, 4.5).sum() < 0.75 * sum(SKIN)  # a brow


def test_pupils_lie_in_the_middle_of_the_eyes_picture(head):
    coordinates = eye_coordinates(head)
    for side in (-1, 1):
        eye = torch.nonzero((head.part == PARTS.index("eyes")) & (head.rest[:, 0] * side > 0))[:, 0]
        front = eye[head.rest[eye, 2].argmax()]
        assert coordinates[front].tolist() == [0.5, 0.5]
        assert coordinates[eye].min() >= 0
        up = eye[head.rest[eye, 1].argmax()]
        assert coordinates[up, 1] < 0.3  # pictures have their first row above


def test_the_eyes_picture_has_pupil_iris_and_white_of_natural_size():
    picture = eye_picture(280).astype(int)
    dark = (picture.sum(-1) < 40).sum() * (2 * EYE_CM / 280) ** 2
    assert dark == pytest.approx(np.pi * PUPIL_CM**2, rel=0.08)
    coloured = (picture[..., 0] - picture[..., 2] > 15).sum() * (2 * EYE_CM / 280) ** 2
    assert coloured == pytest.approx(np.pi * (IRIS_CM**2 - PUPIL_CM**2), rel=0.12)
    assert picture[5, 5].min() > 190


def test_linear_light_of_middle_grey():
    torch.testing.assert_close(
        linear(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([0.0, 0.21404, 1.0]), atol=1e-4, rtol=0
    )
