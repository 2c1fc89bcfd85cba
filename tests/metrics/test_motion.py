"""Motion metrics: answers known beforehand."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from declaim.errors import ConfigError
from declaim.metrics.functional import motion


def sine(frames: int, period: float, phase: float = 0.0) -> torch.Tensor:
    return torch.sin(2 * math.pi * (torch.arange(frames) + phase) / period)


def test_spread_is_numpys_total_standard_deviation():
    values = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert float(motion.spread(values)) == pytest.approx(math.sqrt(np.var(values.numpy(), axis=0).sum()), rel=1e-5)


def test_amplitude_ratio_sees_a_shrunken_motion_at_any_length():
    truth = sine(100, 25)[:, None]
    assert float(motion.amplitude_ratio(0.5 * truth + 3, truth[:50])) == pytest.approx(0.5, rel=1e-5)


def test_head_deviation_forgets_the_mean_pose_but_keeps_the_motion():
    sway = torch.stack([0.1 * sine(50, 25), 0.2 * sine(50, 50), torch.zeros(50)], -1)
    base = Rotation.from_rotvec([0.3, -0.9, 0.2])
    tracked = torch.from_numpy((base * Rotation.from_rotvec(sway.numpy())).as_rotvec()).float()
    torch.testing.assert_close(motion.head_deviation(tracked), motion.head_deviation(sway), atol=1e-5, rtol=0)
    assert float(motion.head_deviation(tracked).mean(0).norm()) < 1e-3


def test_silent_frames_drop_short_pauses_and_the_ends_next_to_speech():
    speaking = torch.ones(60, dtype=torch.bool)
    speaking[:15] = False  # touches the clip's start: keeps its first frames
    speaking[20:29] = False  # 0.36 s: too short
    speaking[35:50] = False
    inside = motion.silent_frames(speaking).nonzero()[:, 0].tolist()
    assert inside == [*range(11), *range(39, 46)]


def test_silence_movement_of_known_motion():
    speaking = torch.arange(100) < 50
    opening = torch.where(speaking, 0.8 * sine(100, 25), 0.3 + 0.08 * sine(100, 2, 0.5))
    assert motion.silence_movement(opening, speaking) == pytest.approx(0.08 / (0.8 / math.sqrt(2)), rel=1e-3)
    opening[50:] = 0.9  # rests open, but rests
    assert motion.silence_movement(opening, speaking) == pytest.approx(0.0, abs=1e-6)


def test_silence_movement_needs_a_pause_and_speech():
    assert motion.silence_movement(torch.rand(50), torch.ones(50, dtype=torch.bool)) is None
    assert motion.silence_movement(torch.rand(50), torch.zeros(50, dtype=torch.bool)) is None


def test_motion_beats_are_the_turning_points_of_a_nod():
    nod = -torch.cos(2 * math.pi * torch.arange(100) / 25.5)[:, None]  # turns every 0.51 s
    beats = motion.motion_beats_s(nod)
    torch.testing.assert_close(beats, 0.51 * torch.arange(1, 8), atol=0.041, rtol=0)


def test_beat_align_known_distances():
    audio = torch.tensor([1.0, 2.0])
    assert motion.beat_align(audio, audio) == 1.0
    assert motion.beat_align(audio, torch.tensor([1.1, 2.2])) == pytest.approx(
        (math.exp(-0.5) + math.exp(-2)) / 2, rel=1e-4
    )
    assert motion.beat_align(torch.zeros(0), audio) is None
    assert motion.beat_align(audio, torch.zeros(0)) == 0.0


def test_diversity_over_takes_and_over_time_are_different_things():
    still_but_apart = torch.stack([torch.zeros(10, 3), torch.ones(10, 3)])
    assert float(motion.diversity_over_takes(still_but_apart)) == pytest.approx(math.sqrt(3) / 2)
    assert float(motion.diversity_over_time(still_but_apart)) == 0
    same = sine(100, 25)[None, :, None].expand(3, 100, 1)
    assert float(motion.diversity_over_takes(same)) == 0
    assert float(motion.diversity_over_time(same)) == pytest.approx(1 / math.sqrt(2), rel=1e-4)
    with pytest.raises(ConfigError, match="two takes"):
        motion.diversity_over_takes(same[:1])


def test_seam_jump_sees_a_step_at_the_border():
    smooth = torch.arange(100).float()[:, None]
    assert motion.seam_jump(smooth, [25, 50]) == pytest.approx(1.0)
    jumped = smooth.clone()
    jumped[50:] += 4
    assert motion.seam_jump(jumped, [50]) == pytest.approx(5.0)
    assert motion.seam_jump(smooth, []) is None
    with pytest.raises(ConfigError, match="borders"):
        motion.seam_jump(smooth, [100])
