from fractions import Fraction

import pytest

from declaim.timebase import FPS, frame_at, frame_start_s, frames_in, sample_at, samples_in


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 1), (640, 1), (641, 2), (16_000, 25), (16_001, 26)])
def test_frames_cover_every_sample(samples: int, frames: int) -> None:
    assert frames_in(samples) == frames


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30_000, 1001), Fraction(60)])
def test_frames_and_samples_are_inverse(rate: int, fps: Fraction) -> None:
    for frames in (0, 1, 2, 99, 90_000, 123_456):
        assert frames_in(samples_in(frames, rate, fps), rate, fps) in (frames, frames + 1)
        assert samples_in(frames, rate, fps) >= frames * rate / fps
        if fps == FPS and rate % 25 == 0:
            assert frames_in(samples_in(frames, rate, fps), rate, fps) == frames


def test_hours_stay_exact() -> None:
    assert frames_in(16_000 * 3_600 * 10) == 25 * 3_600 * 10


def test_frame_at_its_own_start() -> None:
    assert [frame_at(frame_start_s(i)) for i in range(1_000)] == list(range(1_000))
    assert frame_at(0.0799) == 1


def test_sample_at_rounds() -> None:
    assert sample_at(0.5) == 8_000
