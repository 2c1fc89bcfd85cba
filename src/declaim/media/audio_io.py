"""Sound in: any common audio or video file to mono speech, on the same clock as the file's picture.

Sample 0 is the presentation time of the first picture; a file without a picture starts with its first sample.
Encoder priming, edit lists and start offsets are honoured: sound that begins after the picture is preceded by zeros,
sound from before it is cut. Everything is streamed: decode -> mix -> resample (soxr HQ), so an hour costs only its
result (230 MB as 16 kHz float32). The down-mix to mono is in
``declaim.media.downmix``.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch

from declaim.errors import ConfigError, DeclaimWarning, NoAudio, Unreadable
from declaim.media.container import (
    LONGEST_STEP_BACK_S,
    decoded,
    first_picture_time,
    frame_time,
    longest_gap,
    open_media,
    sound_stream,
)
from declaim.media.declared import ends_open, stream_end
from declaim.media.downmix import Block, mixed, to_float
from declaim.timebase import SAMPLE_RATE
from declaim.types import Speech

_RESYNC_S = Fraction(1, 25)
"""Time stamps may wobble this much before a pause is filled or an overlap is cut."""
_PADDING_S = Fraction(1, 5)
"""A codec's padding at the end is shorter than this; anything longer past the declared end is sound."""
_SHORTFALL_S = Fraction(1, 5)
"""A file that ends this much before its declared end is reported as cut off."""
_OVERSCALE = 2.0
"""Peaks up to this are clipped (resampling overshoots); beyond it the file was not in [-1, 1] and is scaled."""


@dataclass
class SoundReport:
    """What was found while reading; complete when the stream has been read to its end.

    Attributes:
        samples: decoded samples per channel, before resampling.
        nonfinite: how many of the decoded values were NaN or infinite (they became zero).
        values: decoded values in all.
        start_s: when the sound starts on the file's own clock, in seconds.
        end_s: when what could be decoded ends.
        declared_end_s: when it should end by the file's header, if that says.
        ends_open: the file lacks the mark of its end.
        damage: messages of damaged packets.
    """

    samples: int = 0
    nonfinite: int = 0
    values: int = 0
    start_s: Fraction | None = None
    end_s: Fraction = Fraction(0)
    declared_end_s: Fraction | None = None
    ends_open: bool = False
    damage: list[str] = field(default_factory=list)

    @property
    def cut_off(self) -> bool:
        """Whether the file ends clearly before the end that it declares."""
        return self.declared_end_s is not None and self.end_s < self.declared_end_s - _SHORTFALL_S

    def count(self, n: int, time: Fraction | None, rate: int) -> None:
        """Note a decoded block of ``n`` samples per channel that starts at ``time``."""
        self.samples += n
        start = self.end_s if time is None else time
        self.start_s = start if self.start_s is None else self.start_s
        self.end_s = max(self.end_s, start + Fraction(n, rate))


def read_audio(path: str | Path, sample_rate: int = SAMPLE_RATE) -> Speech:
    """Read the sound of an audio or video file as mono speech; see the module for clock and down-mix.

    Args:
        path: wav, flac, mp3, m4a, ogg, opus, ...; or a video (mp4, mov, mkv, webm, avi, ...). The content decides,
            not the name.
        sample_rate: of the result, in hertz.

    Raises:
        Unreadable: the file is missing, empty, a folder, corrupt or of another kind.
        NoAudio: the file has no sound, or every sample is NaN.

    Warns:
        DeclaimWarning: the sound is silent, damaged, cut off, or held NaN (taken as zero) or out-of-range samples.
    """
    path, report = Path(path), SoundReport()
    samples = np.zeros(0, np.float32)
    filled = 0
    for block in stream_sound(path, sample_rate, channels=1, report=report):
        if filled + len(block) > len(samples):  # grow in place: two copies of an hour would cost double
            samples.resize(max(filled + len(block), len(samples) * 5 // 4), refcheck=False)
        samples[filled : filled + len(block)] = block[:, 0]
        filled += len(block)
    samples.resize(max(filled, 1), refcheck=False)
    warn_of_damage(path, report)
    factor = scale_of(path, max(float(samples.max()), -float(samples.min())))
    if factor != 1.0:
        samples *= factor
    np.clip(samples, -1, 1, out=samples)
    return Speech(torch.from_numpy(samples), sample_rate)


def stream_sound(
    path: str | Path, sample_rate: int | None = None, channels: int = 1, report: SoundReport | None = None
) -> Iterator[Block]:
    """Read sound in blocks, in constant memory, on the picture's clock.

    Args:
        path: an audio or video file.
        sample_rate: of the result in hertz; None keeps the file's own.
        channels: 1 mixes to mono, 2 gives stereo (mono is doubled).
        report: filled while reading.

    Yields:
        Blocks in order; values are not clipped.

    Raises:
        Unreadable, NoAudio: as ``read_audio``, possibly after the first blocks.
    """
    if channels not in (1, 2):
        raise ConfigError(f"sound can be read as 1 or 2 channels, not {channels}")
    report = SoundReport() if report is None else report
    path = Path(path)
    yield from _resampled(_placed(path, channels, report), sample_rate)
    if report.samples == 0:
        if report.damage:
            raise Unreadable(f"cannot read {path}: its sound is corrupt, nothing of it could be decoded")
        raise NoAudio(f"{path} has a sound track without any samples; give a file with speech")
    if report.nonfinite == report.values:
        raise NoAudio(f"{path} holds no numbers: every sample is NaN or infinite; export it again")


def sound_rate(path: str | Path) -> tuple[int, int]:
    """Sample rate (hertz) and number of channels of a file's main sound.

    Raises:
        Unreadable: the file cannot be used.
        NoAudio: it has no sound.
    """
    path = Path(path)
    with open_media(path) as container:
        stream = _require_sound(container, path)
        return int(stream.codec_context.sample_rate), int(stream.codec_context.layout.nb_channels)


def _require_sound(container: Any, path: Path) -> Any:
    stream = sound_stream(container)
    if stream is None:
        raise NoAudio(
            f"{path} has a picture but no sound; give a file with speech"
            if container.streams.video
            else f"{path} has no sound that can be decoded; give a file with speech"
        )
    return stream


def _placed(path: Path, channels: int, report: SoundReport) -> Iterator[tuple[int, Block]]:
    """Decoded, mixed blocks that follow each other without gap from the origin on; with their sample rate."""
    origin = first_picture_time(path)
    with open_media(path) as container:
        stream = _require_sound(container, path)
        stream.thread_type = "NONE"
        clock = _Clock(origin, container, stream)
        report.declared_end_s, report.ends_open = stream_end(container, stream), ends_open(container)
        for frame in decoded(container, stream, report.damage):
            values, nonfinite = to_float(frame)
            report.values, report.nonfinite = report.values + values.size, report.nonfinite + nonfinite
            report.count(len(values), frame_time(frame), frame.sample_rate)
            block = mixed(values, [channel.name for channel in frame.layout.channels], channels)
            block = clock.place(block, frame_time(frame), frame.sample_rate)
            if len(block):
                yield frame.sample_rate, block


class _Clock:
    """Puts blocks on the time line: the first exactly, later ones where time stamps jump."""

    def __init__(self, origin: Fraction | None, container: Any, stream: Any) -> None:
        self._next = origin
        self._first = True
        self._end: Fraction | None = None
        if "mov" in container.format.name and stream.duration and stream.start_time is not None:
            self._end = (stream.start_time + stream.duration) * Fraction(stream.time_base)
        self._longest_gap = longest_gap(container)
        self._shift = Fraction(0)

    def place(self, block: Block, time: Fraction | None, rate: int) -> Block:
        """The block with zeros before it where sound is missing, without what overlaps; the end's padding cut."""
        start = self._next if time is None else time + self._shift
        start = Fraction(0) if start is None else start
        expected = start if self._next is None else self._next
        gap = start - expected
        if not self._first and abs(gap) <= _RESYNC_S:
            gap, start = Fraction(0), expected
        elif gap > self._longest_gap or (
            gap < -LONGEST_STEP_BACK_S and not self._first
        ):  # the clock was reset: go on without a gap
            self._shift -= gap
            gap, start = Fraction(0), expected
        block = self._without_padding(block, start, rate)
        n = round(gap * rate)
        self._next = max(start + Fraction(len(block), rate), expected)
        self._first = self._first and n < 0 and len(block) <= -n
        if n < 0:
            return block[-n:]
        if n > 0:
            return np.concatenate([np.zeros((n, block.shape[1]), np.float32), block])
        return block

    def _without_padding(self, block: Block, start: Fraction, rate: int) -> Block:
        if self._end is None or self._shift:
            return block
        excess = start + Fraction(len(block), rate) - self._end
        return block[: max(len(block) - round(excess * rate), 0)] if 0 < excess < _PADDING_S else block


def _resampled(blocks: Iterator[tuple[int, Block]], sample_rate: int | None) -> Iterator[Block]:
    """Bring blocks to one sample rate; a file that changes its rate midway starts a new resampler."""
    resampler, source = None, None
    for rate, block in blocks:
        target = rate if sample_rate is None else sample_rate
        sample_rate = target
        if rate != source:
            if resampler is not None:
                yield resampler.resample_chunk(np.zeros((0, block.shape[1]), np.float32), last=True)
            resampler = None if rate == target else soxr.ResampleStream(rate, target, block.shape[1], "float32", "HQ")
            source, channels = rate, block.shape[1]
        out = block if resampler is None else resampler.resample_chunk(block)
        if len(out):
            yield out
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def scale_of(path: Path, peak: float) -> float:
    """What a file's samples are to be multiplied by, so that its peak is in range; a word of silent and loud files."""
    if peak == 0:
        _say(f"{path} is silent: every sample is zero")
    if peak <= _OVERSCALE:
        return 1.0
    _say(f"{path} holds samples up to {peak:.4g}, expected [-1, 1]; it was scaled down")
    return 1 / peak


def warn_of_damage(path: Path, report: SoundReport) -> None:
    """Say what was wrong with a file that has been read to its end."""
    if report.nonfinite:
        _say(f"{path} holds {report.nonfinite} NaN or infinite samples of {report.values}; they were taken as zero")
    start = report.start_s or Fraction(0)
    read = f"{float(report.end_s - start):.2f} s"
    if report.cut_off and report.declared_end_s is not None:
        declared = f"{float(report.declared_end_s - start):.2f} s"
        _say(f"{path} is cut off: {read} of sound could be read, its header declares {declared}")
    elif report.ends_open:
        _say(f"{path} is cut off: its end is missing, {read} of sound could be read")
    elif report.damage:
        _say(f"{path} is damaged: {len(report.damage)} packets were skipped, {read} of sound could be read")


def _say(message: str) -> None:
    warnings.warn(message, DeclaimWarning, stacklevel=4)
