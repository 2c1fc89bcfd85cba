from types import SimpleNamespace

import numpy as np
import pytest
import torch

from declaim import pipeline
from declaim.errors import ConfigError
from declaim.face.layouts import FACE64
from declaim.media import probe
from declaim.pipeline import TalkingHead
from declaim.types import Frames, Motion, Portrait, Speech


class Chance:
    layout = FACE64

    def generate(self, speech, *, seed=0, on_step=None):
        generator = torch.Generator().manual_seed(seed)
        return Motion(torch.randn(speech.n_frames, FACE64.dim, generator=generator), FACE64)


class Grey:
    """Draws frame i of a motion in grey i."""

    def render(self, portrait, motion, anchor):
        for i in range(len(motion)):
            yield Frames(np.full((1, 64, 64, 3), i, np.uint8))


@pytest.fixture
def loaded(monkeypatch):
    """How often a portrait was loaded; nothing is read."""
    calls = SimpleNamespace(n=0)
    still = Portrait(
        np.zeros((64, 64, 3), np.uint8), torch.zeros(478, 3), torch.zeros(4), torch.zeros(64), torch.zeros(3),
        torch.zeros(3),
    )  # fmt: skip

    def load(*args, **options):
        calls.n += 1
        return still

    monkeypatch.setattr(pipeline, "load_portrait", load)
    return calls


SPEECH = Speech(torch.zeros(16000), 16000)


def test_takes_share_the_portrait_and_differ_in_motion(loaded):
    clips = list(TalkingHead(Chance(), Grey()).takes("a.png", SPEECH, [0, 1, 2]))
    assert loaded.n == 1
    assert len({clip.motion.values.numpy().tobytes() for clip in clips}) == 3
    alone = TalkingHead(Chance(), Grey()).animate("a.png", SPEECH, seed=2)
    assert torch.equal(alone.motion.values, clips[2].motion.values)


def test_frames_are_shown_as_they_are_written(loaded, tmp_path):
    clip = TalkingHead(Chance(), Grey()).animate("a.png", SPEECH)
    seen = []
    clip.write(tmp_path / "a.mp4", on_frames=lambda run: seen.append(int(run.images[0, 0, 0, 0])))
    assert seen == list(range(25))
    assert probe(tmp_path / "a.mp4").duration_s == pytest.approx(1.0, abs=0.05)
    clip.write(tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_loading_options_do_not_go_with_a_loaded_portrait(loaded):
    still = pipeline.load_portrait()
    with pytest.raises(ConfigError, match="give them to load_portrait"):
        TalkingHead(Chance(), Grey()).animate(still, SPEECH, size=64)


def test_lips_and_head_of_two_methods(tmp_path):
    from declaim.methods.fd2talk import FD2Talk, tiny

    FD2Talk(tiny()).save_pretrained(tmp_path / "w")
    head = TalkingHead.from_pretrained("fd2talk", head=f"fd2talk={tmp_path / 'w'}")
    assert head.method.lips.config != head.method.head.config == tiny()
