import math

import pytest
import torch

from declaim.motion.smoothing import filtered
from declaim.motion.spectrum import REACH, SEGMENT, HeadSpeed, matching_filter, speed_spectrum


def nod(hertz, rad, frames=640):
    time = torch.arange(frames) / 25
    return torch.stack([rad * torch.sin(2 * math.pi * hertz * time), torch.zeros(frames), torch.zeros(frames)], 1)


def test_a_nod_shows_at_its_frequency_with_its_speed():
    spectrum = speed_spectrum(nod(2.34375, 0.1))
    peak = int(spectrum.argmax())
    assert peak == 6  # 6 / 64 of 25 Hz
    assert float(speed_spectrum(nod(2.34375, 0.2))[peak] / spectrum[peak]) == pytest.approx(2.0, rel=1e-3)
    # The window spreads a tone over three frequencies; together they hold the speed's power.
    per_frequency = 2 * float(spectrum.square().sum()) / SEGMENT
    speed = nod(2.34375, 0.1).diff(dim=0) * 25
    assert per_frequency == pytest.approx(float(speed.square().sum(1).mean()), rel=0.05)


def test_short_clips_have_a_spectrum_too():
    assert speed_spectrum(nod(2.0, 0.1, frames=10)).shape == (SEGMENT // 2 + 1,)


def test_a_filter_for_what_is_right_already_changes_nothing():
    spectrum = torch.rand(SEGMENT // 2 + 1) + 0.5
    kernel = matching_filter(spectrum, spectrum)
    values = torch.randn(100, 6)
    torch.testing.assert_close(filtered(values, kernel), values, atol=1e-5, rtol=0)


def test_a_filter_gives_frequencies_what_they_lack():
    slow, fast = nod(1.0, 0.1), nod(4.0, 0.02)
    frequencies = torch.arange(SEGMENT // 2 + 1) * 25 / SEGMENT
    wanted = torch.where(frequencies > 2.5, 3.0, 1.0)
    kernel = matching_filter(wanted, torch.ones(SEGMENT // 2 + 1))
    assert len(kernel) == 2 * REACH + 1
    torch.testing.assert_close(kernel, kernel.flip(0))
    inside = slice(REACH, -REACH)
    got = filtered(slow + fast, kernel)[inside]
    torch.testing.assert_close(got, (slow + 3 * fast)[inside], atol=0.008, rtol=0)


def test_speeds_are_in_radians_a_second():
    steps = torch.tensor([0.01, 0.01, 0.01, 0.02, 0.02, 0.02, 0.02, 0.02, 0.04, 0.04, 0.04])
    turning = torch.cat([torch.zeros(1), steps.cumsum(0)])[:, None] * torch.tensor([[0.0, 1.0, 0.0]])
    speed = HeadSpeed.mean([turning])
    assert (float(speed.median), float(speed.fastest)) == pytest.approx((0.5, 1.0), rel=1e-4)
    assert speed.tail == pytest.approx(2.0, rel=1e-4)
    both = HeadSpeed.mean([turning, 3 * turning])
    assert (float(both.median), float(both.fastest)) == pytest.approx((1.0, 2.0), rel=1e-4)
    assert both.times(speed) == pytest.approx(2.0, rel=1e-4)
