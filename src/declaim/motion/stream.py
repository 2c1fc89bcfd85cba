"""Motion while the speech is still arriving, in constant memory.

    sound arrived    |==========================================|
    frames of a window    |pre|== new ==|ahead|<- look-ahead ->|     sampled as soon as all this sound has arrived

A window's features and pauses are those of the speech up to its look-ahead, as if it ended there: whatever the chunks,
the motion is the same, bit for bit. Offline, the same windows hear up to 30 s more; a look-ahead of `WHOLE_S` hears all
of that, and the motion is `generate`'s own. Rows come a window at a time, `LATE_FRAMES` and less after the sound.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.audio.activity import ActivityMeter
from declaim.audio.arriving import ArrivingSound
from declaim.audio.pieces import PIECE, Pieces
from declaim.diffusion.windows import Window
from declaim.errors import ConfigError, NoAudio
from declaim.face.layouts import FACE64
from declaim.motion.performance import Performance
from declaim.timebase import FPS, SAMPLE_RATE
from declaim.types import Motion

LOOK_AHEAD_S = 1.0
"""Default look-ahead."""
WHOLE_S = float(PIECE / FPS)
"""Look-ahead that covers everything that features and pauses depend on: the length of an encoder's piece."""


class MotionStream:
    """One take of a speech that arrives in chunks; see `declaim.motion.method.MotionMethod.open`.

    Args:
        method: a `declaim.motion.method.MotionMethod`.
        sample_rate: of the chunks, hertz.
        look_ahead_s: seconds of sound beyond a window that are awaited before it is sampled.
        options: ``seed``, ``steps``, ``pose_scale``, ``expression_scale``, ``blink_scale`` as in ``generate``.

    Raises:
        ConfigError: an option is out of range, or the method's encoder needs the whole speech.
    """

    def __init__(
        self, method: Any, sample_rate: int = SAMPLE_RATE, *, look_ahead_s: float = LOOK_AHEAD_S, **options: Any
    ) -> None:
        if not (math.isfinite(look_ahead_s) and look_ahead_s >= 0.0):
            raise ConfigError(f"the look-ahead is {look_ahead_s} s; expected a number of at least 0")
        if not hasattr(method.encoder, "piece_encoder"):
            raise ConfigError(f"the encoder {method.encoder.name} needs the whole speech; use generate")
        self.config = method.config
        self.look_ahead = math.ceil(look_ahead_s * FPS)
        self._performance = Performance(method, **options)
        self._sound, self._meter = ArrivingSound(sample_rate), ActivityMeter()
        self._pieces = Pieces(method.encoder.piece_encoder(self._sound.between))
        self._start = 0

    def push(self, samples: Float[Tensor, " samples"]) -> Motion:
        """Take in the next chunk, mono, amplitudes in [-1, 1], of any length; give the frames that are finished.

        Raises:
            NoAudio: values are not finite.
            ConfigError: the stream was closed.
        """
        self._sound.push(samples)
        return self._ready()

    def close(self) -> Motion:
        """The rest of the frames; nothing can be pushed afterwards.

        Raises:
            NoAudio: nothing was pushed.
            ConfigError: the stream was closed already.
        """
        self._sound.close()
        if self._sound.frames == 0:
            raise NoAudio("the speech is empty: expected at least one sample")
        return self._ready()

    def _ready(self) -> Motion:
        rows = [self._sampled(window, heard) for window, heard in self._windows()]
        return Motion(torch.cat([torch.zeros(0, FACE64.dim), *rows]), FACE64)

    def _windows(self) -> Iterator[tuple[Window, int]]:
        """The windows whose sound has arrived, each with the frames of sound that it may hear."""
        config, sound = self.config, self._sound
        while self._start < sound.frames:
            start, last = self._start, sound.frames if sound.closed else math.inf
            stop = min(start + config.new, last)
            end = min(stop + config.ahead, last)
            heard = min(end + self.look_ahead, last)
            if not sound.closed and max(heard, stop + 1) > sound.frames:
                return
            self._start = int(stop)
            yield Window(max(start - config.prefix, 0), start, int(stop), int(end)), int(heard)

    def _sampled(self, window: Window, heard: int) -> Float[Tensor, "rows dim"]:
        meter, sound = self._meter, self._sound
        if heard > meter.frames:
            meter.hear(sound.between(meter.frames, heard), heard - meter.frames)
        features = self._pieces.between(window.begin, window.end, heard)
        active = meter.between(window.start, window.stop)
        last = sound.closed and window.stop == sound.frames
        rows = self._performance.add(window, features, active, last=last)
        meter.forget(window.stop)
        sound.forget(max(window.stop - self.config.prefix - PIECE, 0))
        return rows


@runtime_checkable
class Take(Protocol):
    """A take of a speech that arrives in chunks: of one method, or of two."""

    def push(self, samples: Float[Tensor, " samples"]) -> Motion:
        """Take in the next chunk; give the frames that are finished."""
        ...

    def close(self) -> Motion:
        """The rest of the frames."""
        ...


def streamed(stream: Take, chunks: Iterable[Float[Tensor, " _"]]) -> Iterator[Motion]:
    """Push all chunks, close, and give what comes, without empty parts."""
    for chunk in chunks:
        part = stream.push(chunk)
        if len(part):
            yield part
    yield stream.close()
