import math

import pytest
import torch

from declaim.face.rotations import (
    axis_angle_from_matrix,
    continuous,
    cross_matrix,
    matrix_from_axis_angle,
    quaternion_from_matrix,
    yaw_pitch_roll,
)


def vectors(n=2000, largest=math.pi - 1e-6):
    generator = torch.Generator().manual_seed(0)
    axis = torch.nn.functional.normalize(torch.randn(n, 3, dtype=torch.float64, generator=generator), dim=1)
    return axis * largest * torch.rand(n, 1, dtype=torch.float64, generator=generator)


def test_vectors_survive_the_round_trip_through_matrices():
    rotation = vectors()
    assert (axis_angle_from_matrix(matrix_from_axis_angle(rotation)) - rotation).abs().max() < 1e-12


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-7, 1e-4, 1e-3, 1.0, math.pi - 1e-9, math.pi])
def test_every_angle_is_exact(angle):
    rotation = angle * torch.nn.functional.normalize(torch.tensor([0.6, -0.5, 0.3], dtype=torch.float64), dim=0)
    back = axis_angle_from_matrix(matrix_from_axis_angle(rotation))
    assert min((back - rotation).norm(), (back + rotation).norm() if angle == math.pi else math.inf) < 1e-7
    assert torch.allclose(matrix_from_axis_angle(back), matrix_from_axis_angle(rotation), atol=1e-12)


def test_matrices_equal_the_matrix_exponential():
    rotation = vectors(50)
    assert torch.allclose(matrix_from_axis_angle(rotation), torch.linalg.matrix_exp(cross_matrix(rotation)), atol=1e-12)


def test_quaternions_are_unit_with_positive_real_part():
    quaternion = quaternion_from_matrix(matrix_from_axis_angle(vectors(200)))
    assert torch.allclose(quaternion.norm(dim=1), torch.ones(200, dtype=torch.float64))
    assert (quaternion[:, 0] >= 0).all()


def test_gradient_at_rest_is_finite_and_right():
    rotation = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(matrix_from_axis_angle, rotation)


def test_directions_of_yaw_pitch_and_roll():
    nose, top = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0])
    for axis, angle in enumerate([0.3, 0.2, 0.1]):
        rotation = torch.zeros(3)
        rotation[[1, 0, 2][axis]] = angle
        angles = yaw_pitch_roll(rotation)
        assert angles[axis] == pytest.approx(angle)
        assert angles.abs().sum() == pytest.approx(angle, abs=1e-6)
        matrix = matrix_from_axis_angle(rotation)
        if axis == 0:
            assert (matrix @ nose)[0] > 0  # the nose goes to the viewer's right
        elif axis == 1:
            assert (matrix @ nose)[1] < 0  # down
        else:
            assert (matrix @ top)[0] < 0  # counter-clockwise for the viewer


def test_vectors_that_cross_pi_become_continuous():
    angle = torch.linspace(2.8, 3.5, 30)
    axis = torch.tensor([0.0, 1.0, 0.0])
    wrapped = axis_angle_from_matrix(matrix_from_axis_angle(angle[:, None] * axis))
    assert (wrapped[1:] - wrapped[:-1]).norm(dim=1).max() > 1
    assert torch.allclose(continuous(wrapped), angle[:, None] * axis, atol=1e-5)
