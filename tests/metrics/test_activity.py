"""Speech activity and onsets on signals whose answer is known, and on real speech."""

import csv

import librosa
import pytest
import torch

from declaim.media import read_audio
from declaim.metrics.activity import onsets_s, speaking
from declaim.timebase import SAMPLE_RATE
from declaim.types import Speech


def bursts(*starts_s: float, length_s: float = 0.5, total_s: float = 4.0, noise: float = 1e-4) -> Speech:
    generator = torch.Generator().manual_seed(0)
    samples = noise * torch.randn(int(total_s * SAMPLE_RATE), generator=generator)
    for start in starts_s:
        a, b = int(start * SAMPLE_RATE), int((start + length_s) * SAMPLE_RATE)
        samples[a:b] += 0.2 * torch.randn(b - a, generator=generator)
    return Speech(samples.clamp(-1, 1), SAMPLE_RATE)


def test_speaking_finds_the_bursts_to_the_frame():
    active = speaking(bursts(1.0, 2.4))
    expected = torch.zeros(100, dtype=torch.bool)
    expected[25:38] = True
    expected[60:73] = True
    assert torch.equal(active, expected)


def test_clicks_and_rumble_are_no_speech():
    speech = bursts(1.0)
    samples = speech.samples.clone()
    samples[3 * SAMPLE_RATE : 3 * SAMPLE_RATE + 40] = 0.5
    samples += 0.3 * torch.sin(torch.arange(len(samples)) * (2 * torch.pi * 12 / SAMPLE_RATE))
    assert torch.equal(speaking(Speech(samples.clamp(-1, 1), SAMPLE_RATE)), speaking(speech))


def test_quiet_speech_is_speech_and_digital_silence_is_not():
    loud = bursts(1.0, noise=0.0)
    quiet = Speech(loud.samples * 0.05, SAMPLE_RATE)
    assert torch.equal(speaking(quiet), speaking(loud))
    assert not speaking(Speech(torch.zeros(SAMPLE_RATE), SAMPLE_RATE)).any()


def test_onsets_are_where_the_bursts_begin():
    torch.testing.assert_close(onsets_s(bursts(1.0, 2.4)), torch.tensor([1.0, 2.4]), atol=0.031, rtol=0)


@pytest.mark.footage
def test_onsets_of_real_speech_agree_with_librosa(footage):
    with (footage / "manifest.csv").open() as lines:
        path = next(row["path"] for row in csv.DictReader(lines) if row["speaker"] == "sadtalker-rd-radio2")
    speech = read_audio(footage / path)
    ours = onsets_s(speech)
    theirs = torch.from_numpy(librosa.onset.onset_detect(y=speech.samples.numpy(), sr=SAMPLE_RATE, units="time"))
    distance = (ours[:, None] - theirs[None]).abs()
    assert 2 < len(ours) / speech.duration_s < 6  # syllables a second
    assert (distance.amin(1) < 0.08).float().mean() >= 0.8
    active = speaking(speech)
    assert 0.3 < active.float().mean() < 1.0
    assert active[(ours * 25).long().clamp(max=len(active) - 1)].float().mean() > 0.8
