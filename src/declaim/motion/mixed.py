"""Lips from one performance, head, eyes and the rest of the face from another."""

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.anatomy import lip_directions
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.motion.hearing import Hearing
from declaim.motion.stream import Take, streamed
from declaim.timebase import SAMPLE_RATE
from declaim.types import Motion, OnStep, Spoken


def with_lips(motion: Motion, lips: Motion, basis: Float[Tensor, "expression directions"]) -> Motion:
    """``motion`` with the lips of another motion.

    Along the lips' directions the expression becomes that of ``lips``, to float32's rounding; across them it stays.

    Args:
        motion: head, eyes and the rest of the face.
        lips: as long as ``motion``.
        basis: orthonormal directions in b that move the lips (`declaim.face.anatomy.lip_directions`).

    Raises:
        ConfigError: the motions have another layout or different lengths.
    """
    for name, given in (("motion", motion), ("lips", lips)):
        if given.layout != FACE64:
            raise ConfigError(
                f"lips are exchanged in motion over {FACE64.name}; the {name} is over {given.layout.name}"
            )
    if len(motion) != len(lips):
        raise ConfigError(f"the lips last {len(lips)} frames, the rest {len(motion)}; they must be equally long")
    own, wanted = motion["expression"].double(), lips["expression"].double()
    along = torch.linalg.qr(basis.double()).Q  # float32 is orthonormal to 1e-7 only
    exchanged = own + (wanted - own) @ along @ along.T
    return motion.replace(expression=exchanged.to(motion.values.dtype))


class MixedMethod:
    """Two methods as one: lips from the first, everything else from the second.

    Speech is encoded once if both have the same encoder.

    Args:
        lips: the method whose lips are taken.
        head: the method that moves head, eyes and the rest of the face.
        model: the face model, which says what in an expression is lips.

    Raises:
        ConfigError: a method works in another layout than face64.
    """

    layout = FACE64

    def __init__(self, lips: Any, head: Any, model: FaceModel) -> None:
        for role, method in (("lips", lips), ("head", head)):
            if method.layout != FACE64:
                raise ConfigError(f"methods are mixed over {FACE64.name}; the {role}' is over {method.layout.name}")
        self.lips, self.head = lips, head
        self._basis = lip_directions(model)
        self._hearing = Hearing()

    def changed(self, change: Callable[[Any], Any]) -> "MixedMethod":
        """The same with ``change`` of both methods in their places."""
        made = copy.copy(self)
        made.lips, made.head = change(self.lips), change(self.head)
        return made

    def generate(self, speech: Spoken, *, seed: int = 0, on_step: OnStep | None = None, **options: Any) -> Motion:
        """Motion for ``speech``; both methods get the same seed and options.

        Args:
            speech: any length and sample rate.
            seed: the take.
            on_step: called with (frames done by both methods, frames in all of both).
            options: ``steps``, ``pose_scale``, ``expression_scale``, ``blink_scale`` of the methods' ``generate``.

        Raises:
            NoAudio: the speech is empty or not finite.
            ConfigError: an option is out of range.
        """
        made = [
            self._hearing.generate(method, speech, seed=seed, on_step=part_of(on_step, number, 2), **options)
            for number, method in enumerate((self.lips, self.head))
        ]
        return with_lips(made[1], made[0], self._basis)

    def open(self, sample_rate: int = SAMPLE_RATE, **options: Any) -> "MixedStream":
        """A take of a speech that is still arriving; options as in `declaim.motion.method.MotionMethod.open`.

        Here each method encodes the speech for itself.
        """
        lips, head = (method.open(sample_rate, **options) for method in (self.lips, self.head))
        return MixedStream(lips, head, self._basis)

    def stream(
        self, chunks: Iterable[Float[Tensor, " _"]], sample_rate: int = SAMPLE_RATE, **options: Any
    ) -> Iterator[Motion]:
        """Motion in parts while ``chunks`` of sound arrive; see `open`."""
        return streamed(self.open(sample_rate, **options), chunks)


class MixedStream:
    """Two methods' takes of a speech that arrives in chunks, as one; frames come when both have them.

    Args:
        lips: the take whose lips are taken.
        head: the take that moves everything else.
        basis: see `with_lips`.
    """

    def __init__(self, lips: Take, head: Take, basis: Float[Tensor, "expression directions"]) -> None:
        self._takes, self._basis = (lips, head), basis
        self._waiting = [torch.zeros(0, FACE64.dim)] * 2

    def push(self, samples: Float[Tensor, " samples"]) -> Motion:
        """Take in the next chunk; give the frames that are finished. See `declaim.motion.stream.MotionStream.push`."""
        return self._joined([take.push(samples) for take in self._takes])

    def close(self) -> Motion:
        """The rest of the frames. See `declaim.motion.stream.MotionStream.close`."""
        return self._joined([take.close() for take in self._takes])

    def _joined(self, parts: list[Motion]) -> Motion:
        waiting = [torch.cat([rows, part.values]) for rows, part in zip(self._waiting, parts, strict=True)]
        ready = min(len(rows) for rows in waiting)
        self._waiting = [rows[ready:] for rows in waiting]
        lips, head = (Motion(rows[:ready], FACE64) for rows in waiting)
        return with_lips(head, lips, self._basis)


def part_of(on_step: OnStep | None, number: int, count: int) -> OnStep | None:
    """The hook of one of ``count`` equally long parts of some work, which moves the hook of the whole."""
    if on_step is None:
        return None
    return lambda done, total: on_step(number * total + done, count * total)
