"""Sound that arrives in chunks: one rate, whole frames, and no more of it kept than is asked for again."""

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.audio.waveform import prepared
from declaim.errors import ConfigError, NoAudio
from declaim.timebase import SAMPLE_RATE, frames_in, samples_in
from declaim.types import Speech, Spoken


class ArrivingSound:
    """Samples as `declaim.audio.waveform.prepared` gives them, bit for bit, however they are cut into chunks.

    Args:
        sample_rate: of the chunks, hertz.

    Raises:
        ConfigError: the rate is not positive.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        if sample_rate <= 0:
            raise ConfigError(f"the sample rate is {sample_rate}; expected a positive number of hertz")
        self.sample_rate = sample_rate
        self._resampler = (
            None if sample_rate == SAMPLE_RATE else soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, quality="HQ")
        )
        self._samples, self._first = torch.zeros(0), 0
        self._pushed = 0
        self.closed = False

    @property
    def frames(self) -> int:
        """Video frames that have arrived: whole ones; once closed, all of them."""
        if self.closed:
            return frames_in(self._pushed, self.sample_rate)
        return (self._first + len(self._samples)) // samples_in(1)

    def push(self, samples: Float[Tensor, " samples"]) -> None:
        """Take in the next chunk, of any length.

        Raises:
            ConfigError: the sound was closed.
            NoAudio: values are not finite.
        """
        if self.closed:
            raise ConfigError("sound arrived after the end of the stream; open another one")
        if len(samples):
            self._pushed += len(samples)
            self._append(samples, last=False)

    def close(self) -> None:
        """Nothing more arrives."""
        self._append(torch.zeros(0), last=True)
        self.closed = True

    def _append(self, samples: Float[Tensor, " samples"], *, last: bool) -> None:
        if self._resampler is not None:
            given = np.ascontiguousarray(samples.numpy(), dtype=np.float32)
            samples = torch.from_numpy(self._resampler.resample_chunk(given, last=last))
        if len(samples):
            ready = prepared(Speech(samples.float(), SAMPLE_RATE)).samples
            self._samples = torch.cat([self._samples, ready])

    def between(self, begin: int, end: int) -> Float[Tensor, " samples"]:
        """Samples of the frames ``begin`` to ``end - 1``; fewer where the sound ends."""
        return self._samples[samples_in(begin) - self._first : samples_in(end) - self._first]

    def forget(self, before: int) -> None:
        """Frames before ``before`` will not be asked for again."""
        first = min(samples_in(before), self._first + len(self._samples))
        if first > self._first:
            self._samples, self._first = self._samples[first - self._first :].clone(), first


class ReadThrough:
    """A speech's sound as it is read from beginning to end, in constant memory.

    Args:
        speech: any length and sample rate.

    Raises:
        NoAudio: it is empty.
    """

    def __init__(self, speech: Spoken) -> None:
        if speech.n_frames == 0:
            raise NoAudio("the speech is empty: expected at least one sample")
        self._blocks, self._sound = speech.blocks(), ArrivingSound(speech.sample_rate)

    def between(self, begin: int, end: int) -> Float[Tensor, " samples"]:
        """16 kHz samples of the frames ``begin`` to ``end - 1``, fewer where the sound ends; ``begin`` never falls.

        Raises:
            NoAudio: values are not finite.
        """
        self._sound.forget(begin)
        while self._sound.frames < end and not self._sound.closed:
            block = next(self._blocks, None)
            if block is None:
                self._sound.close()
            else:
                self._sound.push(block)
        return self._sound.between(begin, end)
