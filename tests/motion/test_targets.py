from dataclasses import replace

import pytest
import torch

from declaim.errors import ConfigError
from declaim.face.anatomy import Anatomy
from declaim.face.mirror import expression_mirror
from declaim.face.model import FaceModel
from declaim.motion.eyes import Eyes
from declaim.motion.measure import measure
from declaim.motion.smoothing import smoothed
from declaim.motion.targets import (
    blink_peaks,
    expression_target,
    lid_dip,
    mean_blink,
    pose_around_rest,
    sliding_median,
    without_blinks,
)


@pytest.fixture(scope="module")
def model():
    return FaceModel.from_pretrained()


@pytest.fixture(scope="module")
def anatomy(model):
    return Anatomy.of(model)


def blinking(anatomy, at, frames=200):
    """A face that does nothing but shut its eyes by 0.5 cm at some frames."""
    shut = -anatomy.eyes / anatomy.eyes.square().sum()
    b = torch.zeros(frames, 64)
    for i in at:
        for offset, depth in ((-2, 0.1), (-1, 0.3), (0, 0.5), (1, 0.35), (2, 0.15)):
            b[i + offset] += depth * shut
    return b


def test_measures_agree_with_the_faces_points(model, anatomy):
    b = torch.randn(3, 64)
    rest, moved = model.points(torch.zeros(64)), model.points(b)

    def gap(points):
        return (points[..., [82, 13, 312], 1] - points[..., [87, 14, 317], 1]).mean(-1)

    torch.testing.assert_close(b @ anatomy.mouth, gap(moved) - gap(rest), atol=1e-4, rtol=1e-4)
    assert torch.allclose(anatomy.lip_basis.T @ anatomy.lip_basis, torch.eye(10), atol=1e-5)


def test_blinks_are_found_and_taken_out(anatomy):
    at = [40, 90, 150]
    b = blinking(anatomy, at)
    assert blink_peaks(lid_dip(b, anatomy)) == at
    opened = without_blinks(b, anatomy, -anatomy.eyes / anatomy.eyes.square().sum() * 0.5)
    assert float((opened @ anatomy.eyes).abs().max()) < 1e-4
    looking_down = torch.zeros(200, 64)
    looking_down[80:120] = blinking(anatomy, [100])[100]
    assert blink_peaks(lid_dip(looking_down, anatomy)) == []


def test_mean_blink_shuts_the_eyes_and_leaves_the_lips(model, anatomy):
    course, shut = mean_blink([blinking(anatomy, [40, 90])], anatomy, expression_mirror(model))
    assert len(course) == 11
    assert int(course.argmax()) == 5
    assert float(course[5]) == pytest.approx(1.0)
    assert float(shut @ anatomy.eyes) == pytest.approx(-0.5, abs=0.02)
    assert float((shut @ anatomy.lip_basis).abs().max()) < 1e-4
    assert float(course[[0, -1]].abs().max()) < 1e-6
    with pytest.raises(ConfigError, match="no blink"):
        mean_blink([torch.zeros(50, 64)], anatomy, torch.eye(64))


def test_expression_target_scales_lips_from_the_closed_mouth(anatomy):
    lips = torch.randn(30, 10) @ anatomy.lip_basis.T
    habit = torch.randn(64)
    habit = habit - anatomy.lip_basis @ (anatomy.lip_basis.T @ habit)
    eyes = replace(Eyes.identity(), blink_direction=-anatomy.eyes / anatomy.eyes.square().sum())
    straight = eyes.gaze_reading - anatomy.lip_basis @ (anatomy.lip_basis.T @ eyes.gaze_reading)
    look = straight @ torch.linalg.inv(straight.T @ straight)
    eyes = replace(eyes, gaze_reading=straight, gaze_directions=look)
    dip = lid_dip(lips + habit, anatomy)
    target = expression_target(lips + habit, anatomy, eyes, scale=1.5)
    torch.testing.assert_close(target @ eyes.gaze_reading, torch.zeros(30, 2), atol=1e-4, rtol=0)
    mouth = target @ anatomy.lip_basis
    kept = dip == 0
    torch.testing.assert_close(mouth[kept], 1.5 * (lips @ anatomy.lip_basis)[kept], atol=1e-3, rtol=1e-3)
    assert float((target - target @ anatomy.lip_basis @ anatomy.lip_basis.T).mean(0).abs().max()) < 1e-4


def test_pose_is_measured_from_its_mean():
    pose = torch.cat([torch.tensor([0.3, -0.1, 0.2]) + 0.02 * torch.randn(50, 3), 5 + torch.randn(50, 3)], 1)
    relative = pose_around_rest(pose, torch.ones(50, dtype=torch.bool))
    assert float(relative[:, :3].mean(0).abs().max()) < 2e-3
    assert float(relative[:, 3:].mean(0).abs().max()) < 1e-5
    torch.testing.assert_close(relative[:, 3:].std(0), pose[:, 3:].std(0))


def test_sliding_median():
    values = torch.tensor([0.0, 5.0, 1.0, 1.0, 2.0])
    assert sliding_median(values, 3).tolist() == [0, 1, 1, 1, 2]


class Clip:
    def __init__(self, speaker, b, turn):
        frames = len(b)
        self.speaker = speaker
        self.features = torch.randn(frames, 6)
        self.motion = torch.cat([b, turn * torch.randn(frames, 3), torch.randn(frames, 3)], 1)
        self.valid = torch.ones(frames, dtype=torch.bool)
        self.speaking = torch.ones(frames, dtype=torch.bool)


def test_speakers_are_brought_to_one_scale(model, anatomy):
    torch.manual_seed(0)
    speaking = torch.randn(200, 10) @ anatomy.lip_basis.T
    clips = [
        Clip("loud", 1.3 * speaking + blinking(anatomy, [40, 150]), 0.1),
        Clip("soft", 0.8 * speaking + blinking(anatomy, [90]), 0.05),
        Clip("still", speaking, 0.001),
    ]
    measured = measure(clips, clips, model)
    spreads = [float((m.target[:, :64] @ anatomy.mouth).std()) for m in measured.material]
    assert max(spreads) / min(spreads) < 1.1
    assert [bool(m.pose_mask.any()) for m in measured.material] == [True, True, False]
    normal = torch.cat([measured.normalizer.normal_motion(m.target) for m in measured.material])
    torch.testing.assert_close(normal[:, :64].std(0), torch.ones(64), atol=0.1, rtol=0)
    reading = measured.normalizer.eyes.gaze_reading
    for m in measured.material:
        torch.testing.assert_close(m.target[:, :64] @ reading, torch.zeros(200, 2), atol=1e-4, rtol=0)
    usual = float(measured.normalizer.pose_filter) * 0.03
    assert usual == pytest.approx((0.1 + 0.05) / 2, rel=0.1)  # who sits still does not count
    again = torch.cat([m.mirrored[:, :64] @ expression_mirror(model) for m in measured.material])
    torch.testing.assert_close(again, torch.cat([m.target[:, :64] for m in measured.material]), atol=0.02, rtol=0.02)


def test_smoothing_keeps_slow_motion_and_means():
    time = torch.arange(200.0)[:, None]
    slow, fast = (time / 40).sin(), 0.5 * (time * 2.5).sin()
    kept = smoothed(slow + fast, 2.0)
    assert float((kept - slow)[10:-10].abs().max()) < 0.02
    torch.testing.assert_close(smoothed(torch.ones(4, 2), 1.5), torch.ones(4, 2))
    assert torch.equal(smoothed(fast, 0.0), fast)
    assert smoothed(torch.zeros(1, 3), 1.5).shape == (1, 3)
