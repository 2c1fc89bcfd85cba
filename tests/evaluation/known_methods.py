"""Methods whose scores are known: the truth replayed, a still face, and motion by chance."""

from typing import ClassVar

import torch

from declaim.face.layouts import FACE64
from declaim.metrics.functional.motion import head_deviation, spread
from declaim.motion.style import Style
from declaim.types import Motion, OnStep, Speech


class _Method:
    layout = FACE64
    calls = 0

    @classmethod
    def from_pretrained(cls, weights):
        return cls()


class Replay(_Method):
    """Gives the tracked motion of the clip whose speech it hears."""

    known: ClassVar[list[tuple[Speech, Motion]]] = []

    def generate(self, speech: Speech, *, seed: int = 0, on_step: OnStep | None = None) -> Motion:
        type(self).calls += 1
        for heard, motion in self.known:
            n = min(len(heard.samples), len(speech.samples), 30_000)
            if torch.equal(heard.samples[:n], speech.samples[:n]):
                rows = torch.arange(speech.n_frames).clamp(max=len(motion) - 1)
                return Motion(motion.values[rows], FACE64)
        raise AssertionError("speech of no known clip")


class Still(_Method):
    """Never moves."""

    def generate(self, speech: Speech, *, seed: int = 0, on_step: OnStep | None = None) -> Motion:
        return Motion(torch.zeros(speech.n_frames, FACE64.dim), FACE64)


class Chance(_Method):
    """Moves, but hears nothing."""

    def generate(self, speech: Speech, *, seed: int = 0, on_step: OnStep | None = None) -> Motion:
        generator = torch.Generator().manual_seed(seed + len(speech.samples))
        steps = torch.randn(speech.n_frames, FACE64.dim, generator=generator).cumsum(0)
        return Motion(steps / 10, FACE64)


class Mimic(_Method):
    """Nods for ever, as far as the motion does whose style it wears; without one by 0.1 rad."""

    name = "mimic"

    def __init__(self, size: float = 0.1) -> None:
        self.size, self.style, self.styles = size, None, {}

    def style_of(self, motion: Motion, source: str = "motion") -> Style:
        turned = float(spread(head_deviation(motion["rotation"])))
        return Style(torch.tensor([2**0.5 * turned]), "mimic", source, len(motion) / 25)

    def with_style(self, style: Style | None, **guidance: float | None) -> "Mimic":
        return Mimic(0.1 if style is None else float(style.code))

    def generate(self, speech: Speech, *, seed: int = 0, on_step: OnStep | None = None) -> Motion:
        values = torch.zeros(speech.n_frames, FACE64.dim)
        values[:, FACE64.part("rotation").start] = self.size * torch.sin(torch.arange(speech.n_frames) * 2.0)
        return Motion(values, FACE64)
