"""Small parts in place of those that are fetched, and the command line called and answered."""

from pathlib import Path

import numpy as np
import torch
from typer.testing import CliRunner

from declaim.apps.cli.main import app
from declaim.audio.encoders import PiecewiseEncoder
from declaim.types import Frames, Speech

RATE = 16000


class Loudness:
    """A speech encoder that every machine has."""

    name, dim = "loudness", 2

    def encode(self, speech):
        n = speech.n_frames
        samples = torch.nn.functional.interpolate(speech.samples.abs()[None, None], n * 8)[0, 0]
        return samples.view(n, 8).mean(1)[:, None].expand(n, 2).clone()


class LoudnessInPieces(PiecewiseEncoder):
    """The same in pieces of 30 s, each of which every of its rows depends on."""

    name, dim = "loudness", 2

    def _piece(self, samples, n_frames):
        rows = Loudness().encode(Speech(samples, RATE))[:, :1]
        return torch.cat([rows, rows.mean().expand_as(rows)], 1)


class Squares:
    """A renderer that draws the head's turn as a grey."""

    def render(self, portrait, motion, anchor):
        for turn in motion["rotation"][:, 1].tolist():
            yield Frames(np.full((1, 64, 64, 3), int(128 + 500 * turn) % 256, np.uint8))


def random_method(kind, config):
    """A method with random weights that hears loudness."""
    torch.manual_seed(1)
    made = kind(config.model_copy(update={"encoder": "loudness", "speech_dim": 2}))
    for parameter in made.parameters():  # the last layers begin at zero
        torch.nn.init.normal_(parameter, std=0.1)
    return made


def voice(seconds=1.2, pitch=120.0, rate=RATE):
    """Syllables of a buzzing voice with pauses between them."""
    t = torch.arange(round(seconds * rate)) / rate
    buzz = sum(torch.sin(2 * torch.pi * pitch * k * t) / k for k in range(1, 12))
    return 0.2 * buzz * (torch.sin(2 * torch.pi * 2.5 * t) > 0)


def works(*args):
    result = CliRunner().invoke(app, list(map(str, args)))
    assert result.exception is None, repr(result.exception) + result.output
    return result.output


def refused(kind, *args):
    result = CliRunner().invoke(app, list(map(str, args)))
    assert isinstance(result.exception, kind), repr(result.exception) + result.output
    assert result.exception.exit_code == 2
    return str(result.exception)


def written(folder):
    return sorted(p.name for p in Path(folder).iterdir())
