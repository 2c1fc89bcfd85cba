import numpy as np
import pytest
import torch

from declaim.data.prepare import at_tempo, motion_at_tempo
from declaim.data.sampling import BalancedSampler
from declaim.motion.measure import Material
from declaim.types import Speech


def test_tempo_moves_pitch_and_length_together():
    time = torch.arange(16000) / 16000
    tone = Speech(torch.sin(2 * torch.pi * 200 * time) * 0.5, 16000)
    fast = at_tempo(tone, 1.25)
    assert len(fast.samples) == pytest.approx(12800, abs=2)
    spectrum = torch.fft.rfft(fast.samples).abs()
    assert float(spectrum.argmax()) * 16000 / len(fast.samples) == pytest.approx(250, abs=2)
    assert at_tempo(tone, 1.0).samples.shape == tone.samples.shape


def test_motion_keeps_time_with_its_sound():
    ramp = torch.arange(100.0)[:, None]
    fast = motion_at_tempo(ramp, 80, 1.25)
    torch.testing.assert_close(fast[:, 0], torch.arange(80.0) * 1.25)
    slow = motion_at_tempo(ramp, 111, 0.9)
    torch.testing.assert_close(slow[:-1, 0], (torch.arange(111.0) * 0.9)[:-1])
    assert float(slow[-1, 0]) == 99.0


def example(speaker, frames):
    target = torch.randn(frames, 5)
    mask = torch.ones(frames, dtype=torch.bool)
    return Material(speaker, torch.randn(frames, 3), target, -target, mask, mask)


ROWS = range(8)


def test_batches_are_reproducible_and_padded():
    examples = [example("a", 30), example("b", 100)]
    first, second = (BalancedSampler(examples, 50, seed=1) for _ in range(2))
    second.batch(0, ROWS)
    x, y = first.batch(7, ROWS), second.batch(7, ROWS)
    assert torch.equal(x.target, y.target)
    assert x.target.shape == (8, 50, 5)
    short = ~x.mask[:, -1]
    assert bool(short.any())
    assert bool((x.target[short, 30:] == 0).all())
    assert not torch.equal(first.batch(8, ROWS).target, x.target)


def test_a_row_does_not_depend_on_the_others():
    sampler = BalancedSampler([example("a", 80), example("b", 100)], 50, seed=1)
    whole, half = sampler.batch(3, ROWS), sampler.batch(3, range(4, 8))
    assert torch.equal(whole.target[4:], half.target)
    assert sampler.chosen(3, ROWS)[4:] == sampler.chosen(3, range(4, 8))


def test_speakers_are_balanced_and_half_is_mirrored():
    examples = [example("much", 3000) for _ in range(10)] + [example("little", 300)]
    sampler = BalancedSampler(examples, 50, seed=0)
    batch, chosen = sampler.batch(0, range(400)), sampler.chosen(0, range(400))
    little = examples[-1]
    own = torch.tensor([i == len(examples) - 1 for i in chosen])
    expected = 300**0.5 / (300**0.5 + 3000**0.5)
    assert float(own.float().mean()) == pytest.approx(expected, abs=0.07)
    rows = batch.target[own][:, :1]
    mirrored = np.mean([bool((row == little.mirrored).all(-1).any()) for row in rows])
    assert mirrored == pytest.approx(0.5, abs=0.15)
