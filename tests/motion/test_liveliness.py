import math
from dataclasses import replace

import pytest
import torch

from declaim.methods.fd2talk import FD2Talk, tiny
from declaim.motion.calibrate import MOST_CONTRAST, calibrated_pose, lively_settings
from declaim.motion.liveliness import REACH, enlivened, local_speed, usual_speed
from declaim.motion.normalizer import NO_CONTRAST
from declaim.motion.smoothing import filtered, gaussian, smoothed
from declaim.motion.spectrum import HeadSpeed
from declaim.recipes.motion import Clip

SHARP = torch.tensor([-0.2, 1.5, -0.2])


def even(seed, frames=500):
    """A head whose nods are all about as large: Gaussian noise of 1 to 4 Hz in rotation and translation."""
    noise = torch.randn(frames, 6, generator=torch.Generator().manual_seed(seed))
    return 0.03 * (smoothed(noise, 1.5) - smoothed(noise, 5.0))


def in_bouts(seed, frames=500):
    """The same, livelier now and then: a log-normal gain that changes within half a second."""
    noise = torch.randn(frames, 1, generator=torch.Generator().manual_seed(1000 + seed))
    gain = smoothed(noise, 5.0)
    return 2.0 * (0.5 * gain / gain.std()).exp() * even(seed, frames)


def speeds(poses):
    return HeadSpeed.mean([pose[:, :3] for pose in poses])


def test_local_speed_of_a_steady_turn_is_its_speed():
    turning = torch.arange(100.0)[:, None] * torch.tensor([[0.0, 0.02, 0.0, 5.0, 0.0, 0.0]])
    torch.testing.assert_close(local_speed(turning)[REACH:], torch.full((100 - REACH,), 0.02))
    assert usual_speed([turning[:50], 4 * turning[:50]]) == pytest.approx(2 * usual_speed([turning[:50]]), rel=1e-4)


def test_no_contrast_is_the_filter_alone():
    pose = even(0)
    assert torch.equal(enlivened(pose, SHARP, NO_CONTRAST), filtered(pose, SHARP))
    assert enlivened(pose[:0], SHARP, torch.tensor([1.0, 0.1])).shape == (0, 6)


def test_livelier_moments_become_livelier_and_slow_turns_stay():
    time = torch.arange(400.0)[:, None] / 25
    slow = 0.04 * torch.sin(2 * math.pi * 0.1 * time) * torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    nods = torch.sin(2 * math.pi * 3.0 * time) * torch.tensor([[1.0, 0.0, 0.0, 10.0, 0.0, 0.0]])
    pose = slow + torch.where(time < 8, 0.01, 0.03) * nods
    usual = float((local_speed(pose)[100] * local_speed(pose)[300]).sqrt())  # each half is 3 ** 0.5 away from it
    made = enlivened(pose, torch.ones(1), torch.tensor([1.0, usual]))
    gain = made[:, 0].abs().unfold(0, 25, 25).amax(1) / pose[:, 0].abs().unfold(0, 25, 25).amax(1)
    torch.testing.assert_close(gain[2:6], torch.full((4,), 3**-0.5), rtol=0.05, atol=0)
    torch.testing.assert_close(gain[10:14], torch.full((4,), 3**0.5), rtol=0.05, atol=0)
    torch.testing.assert_close(made[:, 3], 10 * made[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(made[:, 1], pose[:, 1], atol=0.002, rtol=0)


def test_a_row_depends_on_reach_frames_to_either_side():
    pose, other = even(1), even(1)
    other[: 200 - REACH - 1] = 0.0
    other[200 + REACH + 1 :] = 0.0
    args = (gaussian(1.0), torch.tensor([0.8, 0.01]))
    torch.testing.assert_close(enlivened(pose, *args)[200], enlivened(other, *args)[200])
    other[200 - REACH] = 1.0
    assert not torch.allclose(enlivened(pose, *args)[200], enlivened(other, *args)[200])


def test_an_even_head_is_brought_to_both_quantiles_of_heads_that_move_in_bouts():
    people, poses = speeds([in_bouts(s) for s in range(8)]), [even(100 + s) for s in range(8)]
    assert speeds(poses).tail < 0.8 * people.tail  # what is to be mended
    kernel, contrast = lively_settings(poses, people)
    reached = speeds([enlivened(even(200 + s), kernel, contrast) for s in range(8)])  # other takes of the same process
    assert 0 < float(contrast[0]) < MOST_CONTRAST
    assert float(reached.median / people.median) == pytest.approx(1.0, abs=0.1)
    assert float(reached.fastest / people.fastest) == pytest.approx(1.0, abs=0.1)


def test_a_head_with_longer_tails_keeps_them_and_meets_people_in_the_middle():
    people, poses = speeds([even(s) for s in range(8)]), [in_bouts(100 + s) for s in range(8)]
    kernel, contrast = lively_settings(poses, people)
    assert float(contrast[0]) == 0.0
    reached = speeds([filtered(pose, kernel) for pose in poses])
    assert float(reached.median / people.median * reached.fastest / people.fastest) == pytest.approx(1.0, rel=1e-3)


def test_calibrated_heads_turn_as_fast_as_the_clips_people():
    torch.manual_seed(0)
    method = FD2Talk(tiny()).eval()
    always = torch.ones(150, dtype=torch.bool)
    motion = torch.cat([torch.zeros(150, 64), in_bouts(0, 150)], 1)
    clip = Clip("a", "a", torch.randn(150, 772), motion, always, always)

    def take(clip, seed):
        return method.generate_from_features([clip.features], 150, seed=seed)

    method.normalizer = calibrated_pose(method, method.normalizer, [clip], take=take, seeds=1)
    generated, wanted = HeadSpeed.mean([take(clip, 0)["rotation"]]), speeds([in_bouts(0, 150)])
    assert wanted.times(generated) == pytest.approx(1.0, rel=1e-3)


def test_heads_finished_window_by_window_are_those_finished_whole():
    torch.manual_seed(0)
    method, features = FD2Talk(tiny()).eval(), torch.randn(200, 772)
    raw = method.generate_from_features([features], 200).values[:, 64:]
    contrast = torch.tensor([0.8, usual_speed([raw])])
    method.normalizer = replace(method.normalizer, pose_filter=SHARP, pose_contrast=contrast)
    made = method.generate_from_features([features], 200).values[:, 64:]
    torch.testing.assert_close(made, enlivened(raw, SHARP, contrast), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(made, filtered(raw, SHARP), atol=0.01)
