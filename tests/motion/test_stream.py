"""Streaming: the same bits for any chunks, `generate`'s own bits where the look-ahead covers all, constant memory."""

from dataclasses import replace

import pytest
import torch

from declaim.audio.encoders import PiecewiseEncoder
from declaim.audio.prosody import prosody
from declaim.audio.waveform import padded_to_frames
from declaim.errors import ConfigError, NoAudio
from declaim.methods.fd2talk import FD2Talk, tiny
from declaim.motion.silence import LONG, calmed, settled_frames
from declaim.motion.stream import WHOLE_S
from declaim.types import Speech

RATE = 16_000


class Loudness(PiecewiseEncoder):
    """A quick encoder whose every row depends on its whole piece, as Whisper's do."""

    name = "loudness"
    dim = 8

    def _piece(self, samples, n_frames):
        rows = prosody(padded_to_frames(samples, n_frames))
        return torch.cat([rows, rows.mean(0).expand_as(rows)], 1)


@pytest.fixture(scope="module")
def method():
    torch.manual_seed(1)
    wide = {"speech_dim": Loudness.dim, "frames": 75, "prefix": 15, "ahead": 5, "sampling_steps": 1}
    made = FD2Talk(tiny().model_copy(update=wide))
    made._encoder = Loudness()
    made.normalizer = replace(made.normalizer, pose_filter=torch.tensor([-0.2, 1.5, -0.2]),
                              pose_contrast=torch.tensor([0.7, 1.0]))  # fmt: skip
    return made.eval()


def speech(seconds, rate=RATE, seed=0):
    """Noise with pauses of many lengths."""
    generator = torch.Generator().manual_seed(seed)
    samples = 0.2 * torch.randn(round(seconds * rate), generator=generator)
    time = torch.arange(len(samples)) / rate
    samples[(time % 5.3 > 2.0) & (time % 5.3 < 2.3 + 0.13 * (time // 5.3))] *= 1e-4
    return Speech(samples, rate)


def together(parts):
    return torch.cat([part.values for part in parts])


@pytest.mark.parametrize("seconds", [0.01, 3.0, 36.37])
def test_with_the_whole_look_ahead_it_is_generates_motion(method, seconds):
    said = speech(seconds)
    parts = method.stream(said.samples.split(7777), look_ahead_s=WHOLE_S, seed=4)
    assert torch.equal(together(parts), method.generate(said, seed=4).values)


@pytest.mark.parametrize("rate", [RATE, 44_100, 8_000])
def test_chunks_do_not_matter(method, rate):
    said = speech(8.03, rate)
    once = together(method.stream([said.samples], rate, seed=2))
    assert len(once) == said.n_frames
    for size in (rate // 50, 3 * rate + 1):
        assert torch.equal(together(method.stream(said.samples.split(size), rate, seed=2)), once)
    assert not torch.equal(together(method.stream([said.samples], rate, seed=3)), once)


def test_rows_come_while_the_speech_still_runs(method):
    stream = method.open(look_ahead_s=0.4)
    behind, made = [], 0
    said = 0.2 * torch.randn(8 * RATE, generator=torch.Generator().manual_seed(0))
    for number, chunk in enumerate(said.split(RATE // 25), 1):
        made += len(stream.push(chunk))
        behind.append(number - made)
    config, eyes = method.config, method.normalizer.eyes
    assert max(behind) <= 2 * config.new + config.ahead + 10 + eyes.ahead
    assert made + len(stream.close()) == 200


def test_memory_is_constant(method):
    stream = method.open(look_ahead_s=0.4)
    sizes = []
    for number in range(48):
        stream.push(0.2 * torch.randn(RATE, generator=torch.Generator().manual_seed(number)))
        kept = stream._performance
        sizes.append((len(stream._sound._samples), len(stream._meter._levels), len(kept._normal),
                      len(kept._eyes._blinks.frames) + len(kept._eyes._shifts.frames)))  # fmt: skip
    early, late = (torch.tensor(sizes[a:b]).amax(0) for a, b in ((33, 41), (41, 48)))
    assert bool((late <= 1.1 * early + 5).all())


def test_more_look_ahead_comes_closer_to_offline(method):
    said = speech(20.0)
    offline = method.generate(said, seed=1).values
    errors = [float((together(method.stream([said.samples], look_ahead_s=s, seed=1)) - offline).square().mean())
              for s in (0.0, 8.0, WHOLE_S)]  # fmt: skip
    assert errors[0] > errors[1] > errors[2] == 0.0


def test_wrong_use_is_said(method):
    with pytest.raises(ConfigError, match="look-ahead"):
        method.open(look_ahead_s=-1.0)
    with pytest.raises(ConfigError, match="sample rate"):
        method.open(0)
    with pytest.raises(ConfigError, match="pose_scale"):
        method.open(pose_scale=float("nan"))
    with pytest.raises(NoAudio, match="empty"):
        method.open().close()
    stream = method.open()
    with pytest.raises(NoAudio, match="not numbers"):
        stream.push(torch.full((100,), torch.nan))
    stream.push(torch.zeros(100))
    stream.close()
    with pytest.raises(ConfigError, match="end of the stream"):
        stream.push(torch.zeros(100))


@pytest.mark.parametrize("pause", [3, 9, 10, 25, 39, 40, 41, 90])
def test_what_is_settled_in_a_pause_stays(pause):
    lips = torch.randn(150, 4, generator=torch.Generator().manual_seed(pause))
    active = torch.ones(150, dtype=torch.bool)
    active[30 : 30 + pause] = False
    whole = calmed(lips, active)
    for known in range(1, 150, 4):
        settled = settled_frames(active[:known])
        torch.testing.assert_close(calmed(lips[:known], active[:known])[:settled], whole[:settled])
        assert settled >= known - LONG[1]
