"""Sound out: speech to FLAC, 16 bits, lossless, atomic, the same bytes for the same samples."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from declaim.errors import NoAudio, Unwritable
from declaim.pretrained import atomic_file, write_error
from declaim.types import Speech

_BLOCK = 4096
_FULL_SCALE = 32768


def write_audio(path: str | Path, speech: Speech) -> Path:
    """Write speech as FLAC; the file appears whole or not at all.

    Samples are rounded to multiples of 1/32768 in [-1, 1): such samples come back from ``read_audio`` exactly.

    Args:
        path: ends in .flac.
        speech: at least one sample, any rate up to 655,350 hertz.

    Returns:
        The path.

    Raises:
        Unwritable: another suffix, the folder is missing or may not be written.
        CapacityError: the disk is full.
        NoAudio: there are no samples, or some are not finite.
    """
    path = Path(path)
    if path.suffix.lower() != ".flac":
        raise Unwritable(f"cannot write {path}: sound is written as .flac; choose such a name")
    samples = speech.samples.detach().cpu().numpy()
    if len(samples) == 0 or not np.isfinite(samples).all():
        raise NoAudio(f"cannot write {path}: expected at least one sample, all of them finite")
    scaled = np.rint(samples.astype(np.float64) * _FULL_SCALE).clip(-_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    with atomic_file(path) as partial:
        try:
            _encode(partial, scaled, speech.sample_rate)
        except (av.FFmpegError, OSError) as error:
            raise write_error(path, error) from error
    return path


def _encode(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    # "file:" keeps names with a colon from being taken for addresses.
    with av.open(f"file:{path}", "w", format="flac") as container:
        container.flags |= av.container.Flags.bitexact.value
        stream = container.add_stream("flac", rate=sample_rate, layout="mono", format="s16")
        stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
        for start in range(0, len(samples), _BLOCK):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + _BLOCK], format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = sample_rate, Fraction(1, sample_rate), start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
