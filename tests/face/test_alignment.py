"""A similarity is found again, and splits into what it was made of."""

import torch

from declaim.face.alignment import similarity
from declaim.face.rotations import matrix_from_axis_angle


def test_a_known_similarity_is_found():
    points = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    turn, offset = matrix_from_axis_angle(torch.tensor([0.3, -0.8, 0.5])), torch.tensor([4.0, -2.0, 7.0])
    found = similarity(points, 2.5 * points @ turn.T + offset)
    torch.testing.assert_close(found(points), 2.5 * points @ turn.T + offset, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.rotation, turn, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.offset, offset, atol=1e-4, rtol=0)
    assert abs(found.scale - 2.5) < 1e-4


def test_noise_is_averaged():
    g = torch.Generator().manual_seed(1)
    points = 5 * torch.randn(200, 3, generator=g)
    found = similarity(points, points + 0.1 * torch.randn(200, 3, generator=g))
    torch.testing.assert_close(found.matrix, torch.eye(3), atol=0.01, rtol=0)
