"""The sound of a video that is written: a file's own or a speech signal, encoded as long as the picture."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr

from declaim.media.audio_io import sound_rate, stream_sound
from declaim.media.downmix import Block
from declaim.timebase import samples_in
from declaim.types import Speech

SOUND_CODECS = {"mp4": "aac", "mov": "aac", "matroska": "libopus"}
"""Codec by muxer. Matroska gets Opus: its padding is trimmed there, AAC would end up to 21 ms after the picture."""
_SOUND_RATES = {"aac": (44_100, 48_000), "libopus": (48_000,)}
_BIT_RATE = {1: 96_000, 2: 160_000}
_BLOCK = 16_384


class SoundSource:
    """Sound for a video: a file's own or a speech signal, as blocks at a rate the codec takes, mono or stereo.

    Raises:
        Unreadable, NoAudio: the file cannot be used (found at once, before anything is rendered).
    """

    def __init__(self, sound: str | Path | Speech, codec: str) -> None:
        self._sound = sound
        self.codec = codec
        own, channels = (sound.sample_rate, 1) if isinstance(sound, Speech) else sound_rate(sound)
        self.sample_rate = own if own in _SOUND_RATES[codec] else _SOUND_RATES[codec][-1]
        self.channels = min(channels, 2)

    def blocks(self) -> Iterator[Block]:
        """The sound from the first picture on, in blocks."""
        if isinstance(self._sound, Speech):
            yield from self._of_speech(self._sound)
        else:
            yield from stream_sound(self._sound, self.sample_rate, self.channels)

    def _of_speech(self, speech: Speech) -> Iterator[Block]:
        samples = speech.samples.detach().cpu().numpy().astype(np.float32)[:, None]
        resample = speech.sample_rate != self.sample_rate
        stream = soxr.ResampleStream(speech.sample_rate, self.sample_rate, 1, "float32", "HQ") if resample else None
        for start in range(0, len(samples), _BLOCK):
            block = samples[start : start + _BLOCK]
            yield stream.resample_chunk(block, last=start + _BLOCK >= len(samples)) if stream else block


class _Tail:
    """Takes exact numbers of samples from blocks; silence once they have ended."""

    def __init__(self, blocks: Iterator[Block], channels: int) -> None:
        self._blocks = blocks
        self._rest = np.zeros((0, channels), np.float32)

    def take(self, n: int) -> Block:
        parts, missing = [], n
        while missing > 0:
            if len(self._rest) == 0:
                following = next(self._blocks, None)
                self._rest = np.zeros((missing, self._rest.shape[1]), np.float32) if following is None else following
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts) if parts else self._rest[:0]


class SoundTrack:
    """The sound track, kept as long as the picture."""

    def __init__(self, container: Any, source: SoundSource, fps: Fraction) -> None:
        self._container, self._fps, self._rate = container, fps, source.sample_rate
        self._layout = "mono" if source.channels == 1 else "stereo"
        self._stream = container.add_stream(source.codec, rate=self._rate, layout=self._layout)
        self._stream.codec_context.bit_rate = _BIT_RATE[source.channels]
        self._stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
        self._samples = _Tail(source.blocks(), source.channels)
        self._written = 0

    def write_until(self, n_frames: int) -> None:
        """Write sound up to the end of frame ``n_frames - 1``."""
        n = samples_in(n_frames, self._rate, self._fps) - self._written
        if n <= 0:
            return
        values = np.ascontiguousarray(np.clip(self._samples.take(n), -1, 1).T)
        frame = av.AudioFrame.from_ndarray(values, format="fltp", layout=self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
        self._written += n
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))
