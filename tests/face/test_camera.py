import math

import torch

from declaim.face.camera import Pose, estimate_pose, focal_length, project, unproject


def scene(n=200):
    generator = torch.Generator().manual_seed(1)
    shape = 5 * torch.randn(478, 3, dtype=torch.float64, generator=generator)
    rotation = 3 * torch.rand(n, 3, dtype=torch.float64, generator=generator) - 1.5
    place = torch.rand(n, 3, dtype=torch.float64, generator=generator) * torch.tensor([20.0, 20.0, 60.0])
    translation = place - torch.tensor([10.0, 10.0, 80.0])
    depth = torch.randn(n, dtype=torch.float64, generator=generator)
    return shape, Pose(rotation, translation, depth)


def test_projection_is_exactly_invertible():
    shape, pose = scene()
    points = project(shape, pose, (360, 288))
    assert (unproject(points, pose, (360, 288)) - shape).abs().max() < 1e-10


def test_pose_is_recovered_exactly_whatever_the_weights():
    shape, pose = scene()
    weights = torch.rand(478, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = estimate_pose(project(shape, pose, (512, 512)), shape, weights, (512, 512))
    for mine, truth in zip(found, pose, strict=True):
        assert (mine - truth).abs().max() < 1e-9


def test_heavy_points_decide():
    shape, pose = scene(1)
    points = project(shape, pose, (512, 512))
    points[:, 100:] += 40
    weights = torch.full((478,), 1e-9, dtype=torch.float64)
    weights[:100] = 1
    found = estimate_pose(points, shape, weights, (512, 512))
    assert (found.rotation - pose.rotation).abs().max() < 1e-5


def test_a_face_never_turns_inside_out():
    shape, pose = scene(1)
    flat = shape * torch.tensor([1.0, 1.0, 1e-3])
    points = project(flat, pose, (512, 512))
    points[..., 2] *= -1  # a mirrored depth must not be answered with a reflection
    found = estimate_pose(points, flat, torch.ones(478, dtype=torch.float64), (512, 512))
    assert torch.isfinite(found.rotation).all()
    assert found.rotation.norm() <= math.pi + 1e-9


def test_conventions_of_the_picture():
    at_middle = Pose(torch.zeros(3), torch.tensor([0.0, 0.0, -50.0]), torch.tensor(0.0))
    shape = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    points = project(shape, at_middle, (640, 480))
    scale = focal_length((640, 480)) / 50
    expected = torch.tensor([[0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 0, -1.0]]) * scale + torch.tensor([320, 240, 0.0])
    assert torch.allclose(points, expected, atol=1e-4)
    assert abs(2 * math.degrees(math.atan(240 / focal_length((640, 480)))) - 63) < 1e-9
