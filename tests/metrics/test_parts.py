"""Motion parts and lip jitter: answers known beforehand."""

import math

import pytest
import torch

from declaim.face.layouts import LIPS, LIPS_INNER_LOWER, RIGHT_BROW
from declaim.face.model import FaceModel
from declaim.metrics.functional.motion import spread
from declaim.metrics.functional.parts import PARTS, lip_jitter, motion_parts


def still(frames: int) -> torch.Tensor:
    return FaceModel.from_pretrained().mean.expand(frames, 478, 3).clone()


def test_each_part_sees_its_own_points_alone():
    points, head = still(50), torch.zeros(50, 3)
    sway = torch.sin(2 * math.pi * torch.arange(50) / 25)
    assert all(float(spread(curve)) < 1e-6 for curve in motion_parts(points, head, head).values())
    brows = points.clone()
    brows[:, list(RIGHT_BROW), 1] += 0.2 * sway[:, None]
    moved = {name for name, curve in motion_parts(brows, head, head).items() if float(spread(curve)) > 1e-6}
    assert moved == {"brows"}
    assert float(spread(motion_parts(brows, head, head)["brows"])) == pytest.approx(0.2 / math.sqrt(2), rel=1e-3)
    jaw = points.clone()
    jaw[:, list(LIPS_INNER_LOWER[1:-1]), 1] -= 0.3 * (1 + sway[:, None])
    moved = {name for name, curve in motion_parts(jaw, head, head).items() if float(spread(curve)) > 1e-6}
    assert moved == {"mouth"}
    turned = motion_parts(points, 0.1 * sway[:, None].expand(-1, 3), head)
    assert {name for name, curve in turned.items() if float(spread(curve)) > 1e-6} == {"rotation"}
    assert tuple(turned) == PARTS


def test_jitter_of_rest_glide_and_a_known_shake():
    points, inside = still(20), torch.ones(20, dtype=torch.bool)
    assert lip_jitter(points, inside) == 0
    glide = points + 0.1 * torch.arange(20)[:, None, None]
    assert lip_jitter(glide, inside) == pytest.approx(0, abs=1e-4)
    shake = points.clone()
    shake[1::2, list(LIPS), 1] += 0.01  # every second difference is 0.02 cm
    assert lip_jitter(shake, inside) == pytest.approx(0.2, rel=1e-3)
    assert lip_jitter(shake, ~inside) is None
