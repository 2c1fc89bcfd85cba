"""The five values that cross every boundary in declaim, with their shapes checked.

    read_audio -> Speech -> Method.generate -> Motion -> Renderer(Portrait, Motion) -> Frames -> write_video

Shapes are jaxtyping annotations; the test suite checks them at run time. Tensors are CPU float32 unless said
otherwise; pictures are numpy arrays, 8 bits, RGB, row-major, origin at the top left.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from declaim.errors import ConfigError
from declaim.timebase import FPS, frame_at, frames_in, sample_at

BLOCK_S = 30
"""Seconds of the blocks in which speech is read through."""
OnStep = Callable[[int, int], None]
"""Progress hook: called with (steps done, steps in all; 0 when unknown)."""


@dataclass(frozen=True, eq=False)
class Speech:
    """A mono speech signal.

    Attributes:
        samples: amplitude in [-1, 1].
        sample_rate: in hertz.
    """

    samples: Float[Tensor, " samples"]
    sample_rate: int

    @property
    def n_frames(self) -> int:
        """Number of 25 fps video frames that cover the signal."""
        return frames_in(len(self.samples), self.sample_rate)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def between(self, start_s: float, stop_s: float) -> "Speech":
        """The part from ``start_s`` to ``stop_s`` (seconds, clipped to the signal)."""
        a, b = sample_at(max(start_s, 0.0), self.sample_rate), sample_at(stop_s, self.sample_rate)
        return replace(self, samples=self.samples[a:b])

    def blocks(self) -> Iterator[Float[Tensor, " _"]]:
        """The samples in consecutive blocks."""
        yield from torch.split(self.samples, BLOCK_S * self.sample_rate)


@runtime_checkable
class Spoken(Protocol):
    """A speech that can be read through, as often as needed: a `Speech`, or a recording that stays in its file."""

    @property
    def sample_rate(self) -> int:
        """In hertz."""
        ...

    @property
    def n_frames(self) -> int:
        """Number of 25 fps video frames that cover it."""
        ...

    @property
    def samples(self) -> Float[Tensor, " samples"]:
        """All of its samples; those of a recording are read anew, and an hour of them takes 230 MB."""
        ...

    def blocks(self) -> Iterator[Float[Tensor, " _"]]:
        """Its samples in consecutive blocks."""
        ...


@dataclass(frozen=True)
class Part:
    """A named range of columns of a motion.

    Attributes:
        name: for instance ``"rotation"``.
        start: first column.
        size: number of columns.
        unit: ``"sd"`` (standard deviations of the face model), ``"rad"`` or ``"cm"``.
        rotation: the kind of rotation the columns hold, if they hold one.
    """

    name: str
    start: int
    size: int
    unit: Literal["sd", "rad", "cm"]
    rotation: Literal["axis_angle"] | None = None

    @property
    def columns(self) -> slice:
        """The columns as a slice."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class MotionLayout:
    """What each column of a motion means; saved inside every checkpoint and motion file."""

    name: str
    parts: tuple[Part, ...]

    @property
    def dim(self) -> int:
        """Number of columns."""
        return sum(part.size for part in self.parts)

    def part(self, name: str) -> Part:
        """The part called ``name``.

        Raises:
            ConfigError: the layout has no such part.
        """
        for part in self.parts:
            if part.name == name:
                return part
        known = ", ".join(p.name for p in self.parts)
        raise ConfigError(f"motion layout {self.name!r} has no part {name!r}; it has {known}")


@dataclass(frozen=True, eq=False)
class Motion:
    """Face and head motion over time.

    Attributes:
        values: one row per frame; the columns are named by ``layout``.
        layout: meaning of the columns.
        fps: frames per second.
        valid: False where the tracker saw no face and the row was filled in; None if all rows are real.
        arkit: the 52 ARKit coefficients in [0, 1], Apple's order, if they were measured or computed.
    """

    values: Float[Tensor, "*batch frames dim"]
    layout: MotionLayout
    fps: Fraction = FPS
    valid: Bool[Tensor, "*batch frames"] | None = None
    arkit: Float[Tensor, "*batch frames 52"] | None = None

    def __post_init__(self) -> None:
        if self.values.shape[-1] != self.layout.dim:
            raise ConfigError(
                f"motion has {self.values.shape[-1]} columns, layout {self.layout.name!r} has {self.layout.dim}"
            )

    def __len__(self) -> int:
        return int(self.values.shape[-2])

    def __getitem__(self, name: str) -> Float[Tensor, "*batch frames columns"]:
        """The columns of the part called ``name``."""
        return self.values[..., self.layout.part(name).columns]

    def replace(self, **parts: Float[Tensor, "*batch frames _"]) -> "Motion":
        """A copy with whole parts exchanged: ``motion.replace(rotation=...)``. Measured ARKit values are dropped."""
        values = self.values.clone()
        for name, new in parts.items():
            values[..., self.layout.part(name).columns] = new
        return replace(self, values=values, arkit=None)

    def between(self, start_s: float, stop_s: float) -> "Motion":
        """The frames from ``start_s`` to ``stop_s`` (seconds)."""
        return self.frames(frame_at(max(start_s, 0.0), self.fps), frame_at(stop_s, self.fps))

    def frames(self, start: int, stop: int) -> "Motion":
        """The frames ``start`` to ``stop - 1``."""
        return replace(
            self,
            values=self.values[..., start:stop, :],
            valid=None if self.valid is None else self.valid[..., start:stop],
            arkit=None if self.arkit is None else self.arkit[..., start:stop, :],
        )


@dataclass(frozen=True, eq=False)
class Portrait:
    """A still picture with one face, ready to be animated.

    Attributes:
        image: the picture, RGB.
        landmarks: the tracker's points in pixels of ``image``: x right, y down, z away from the viewer (same scale).
        identity: identity coefficients a of the face model.
        expression: the expression b that the face wears in the picture.
        rotation: head rotation in the picture, axis-angle, rad.
        translation: head position relative to the camera, cm.
    """

    image: UInt8[np.ndarray, "height width 3"]
    landmarks: Float[Tensor, "points 3"]
    identity: Float[Tensor, " identity"]
    expression: Float[Tensor, " expression"]
    rotation: Float[Tensor, " 3"]
    translation: Float[Tensor, " 3"]


@dataclass(frozen=True, eq=False)
class Frames:
    """A run of consecutive video frames, RGB."""

    images: UInt8[np.ndarray, "frames height width 3"]
    fps: Fraction = FPS

    def __len__(self) -> int:
        return int(self.images.shape[0])


@runtime_checkable
class SpeechEncoder(Protocol):
    """Turns speech into features at the video's frame rate.

    ``encode`` returns one row per frame of ``speech.n_frames``.
    """

    name: str
    dim: int

    def encode(self, speech: Spoken) -> Float[Tensor, "frames dim"]:
        """Features of ``speech``, one row per 25 fps frame."""
        ...


class Renderer(Protocol):
    """Turns a portrait and a motion into pictures, in runs of frames so that memory stays constant."""

    def render(self, portrait: Portrait, motion: Motion) -> Iterator[Frames]:
        """Yield the frames of ``motion`` in order."""
        ...


def seeded_generator(seed: int, *key: int) -> torch.Generator:
    """A generator whose stream depends on ``seed`` and ``key`` alone (not on batch size, order or process)."""
    words = np.random.SeedSequence(entropy=seed, spawn_key=key).generate_state(2, np.uint32)
    return torch.Generator().manual_seed((int(words[0]) << 31) ^ int(words[1]))
