import pytest
import torch

from declaim.motion.silence import CLOSING, LEFT, LONG, SHORTEST, calmed


def wave(frames, level=2.0):
    return level + torch.sin(torch.arange(frames) * 1.3)[:, None] * torch.tensor([1.0, -0.5])


def paused(gap, before=20, after=20):
    active = torch.ones(before + gap + after, dtype=torch.bool)
    active[before : before + gap] = False
    return active


@pytest.mark.parametrize("gap", [SHORTEST, LONG[0], LONG[1], 80])
def test_lips_are_calm_within_pauses_and_unchanged_in_speech(gap):
    active, lips = paused(gap), wave(40 + gap)
    calm = calmed(lips, active)
    assert torch.equal(calm[active], lips[active])
    inner = slice(20 + CLOSING - 1, 20 + gap - CLOSING + 1)
    assert float(calm[inner].std(0).max()) <= LEFT * float(lips[inner].std(0).max()) + 1e-6
    assert float(calm.diff(dim=0).abs().max()) <= 1.3 * float(lips.diff(dim=0).abs().max()), "no jump at either end"


def test_lips_keep_their_level_between_phrases_and_close_in_long_pauses():
    short, long = LONG[0], LONG[1]
    between = calmed(wave(40 + short), paused(short))[20 + CLOSING : 20 + short - CLOSING]
    assert between.mean(0).tolist() == pytest.approx([2.0, 2.0], abs=0.4)
    silent = calmed(wave(40 + long), paused(long))[20 + CLOSING - 1 : 20 + long - CLOSING + 1]
    assert float(silent.abs().max()) < 1e-6
    middle = (short + long) // 2
    half = calmed(wave(40 + middle), paused(middle))[20 + CLOSING : 20 + middle - CLOSING]
    assert half.mean(0).tolist() == pytest.approx([1.0, 1.0], abs=0.3)


def test_short_pauses_leave_the_lips_alone():
    lips = wave(40 + SHORTEST - 1)
    assert torch.equal(calmed(lips, paused(SHORTEST - 1)), lips)


def test_the_ends_of_the_speech_are_pauses_however_short():
    active, lips = paused(3, before=0, after=30), wave(33)
    calm = calmed(lips, active)
    assert not torch.equal(calm[:3], lips[:3]) and torch.equal(calm[3:], lips[3:])


@pytest.mark.parametrize("frames", [1, 2, 9, 100])
def test_nobody_speaks_at_all(frames):
    calm = calmed(wave(frames), torch.zeros(frames, dtype=torch.bool))
    assert calm.shape == (frames, 2) and bool(calm.isfinite().all())
    if frames >= LONG[1]:
        assert not bool(calm.any())
