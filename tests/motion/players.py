"""Methods whose motion is known, with encoders that count their calls."""

import torch

from declaim.face.layouts import FACE64
from declaim.types import Motion, Speech


class Ear:
    def __init__(self, name="ear"):
        self.name, self.dim, self.heard = name, 2, 0

    def encode(self, speech: Speech):
        self.heard += 1
        return torch.full((speech.n_frames, 2), float(speech.samples.abs().mean()))


class Player:
    """Random motion of its own for every seed, louder where the features are."""

    layout = FACE64

    def __init__(self, key=0, encoder=None):
        self.key, self.encoder, self.made = key, encoder or Ear(), 0

    def generate(self, speech, **options):
        return self.generate_from_features([self.encoder.encode(speech)], speech.n_frames, **options)

    def generate_from_features(self, blocks, n_frames, *, active=None, seed=0, on_step=None, blink_scale=1.0):
        self.made += 1
        drawn = torch.randn(n_frames, FACE64.dim, generator=torch.Generator().manual_seed(100 * self.key + seed))
        if on_step:
            on_step(n_frames, n_frames)
        return Motion(blink_scale * drawn * torch.cat(list(blocks))[:, :1], FACE64)


class Deaf:
    """Hears the speech itself: no features, as methods of other packages may."""

    layout = FACE64

    def generate(self, speech, *, seed=0, on_step=None):
        return Motion(torch.full((speech.n_frames, FACE64.dim), float(seed)), FACE64)


def speech(seconds=0.4):
    return Speech(torch.full((round(16000 * seconds),), 0.5), 16000)
