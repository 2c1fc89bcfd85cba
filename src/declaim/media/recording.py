"""A recording that stays in its file: its length costs no memory, for it is read through in blocks when it is heard."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from declaim.media.audio_io import SoundReport, scale_of, stream_sound, warn_of_damage
from declaim.timebase import SAMPLE_RATE, frames_in
from declaim.types import BLOCK_S

Hear = Callable[[Float[Tensor, " samples"]], None]


@dataclass(frozen=True, eq=False)
class Recording:
    """A speech in a file, at 16 kHz; `read_recording` makes one.

    Attributes:
        path: an audio or video file.
        n_samples: its length.
        peak: greatest amplitude of a sample, before any scaling.
        factor: what samples are multiplied by.
    """

    path: Path
    n_samples: int
    peak: float
    factor: float = 1.0
    sample_rate = SAMPLE_RATE

    @property
    def n_frames(self) -> int:
        """Number of 25 fps video frames that cover it."""
        return frames_in(self.n_samples)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate

    @property
    def samples(self) -> Float[Tensor, " samples"]:
        """All of them, read anew: for encoders and methods that need a speech as a whole."""
        return torch.cat(list(self.blocks()))

    def blocks(self) -> Iterator[Float[Tensor, " _"]]:
        """The samples that `declaim.media.read_audio` gives, bit for bit, in consecutive blocks of `BLOCK_S`."""
        for block in _blocks(self.path):
            yield torch.from_numpy((block * np.float32(self.factor)).clip(-1, 1))


def read_recording(path: str | Path, hear: Hear | None = None) -> Recording:
    """Read a file through once, and keep nothing of its sound.

    Args:
        path: see `declaim.media.read_audio`.
        hear: called with every block of samples, as they are in the file.

    Raises:
        Unreadable: the file is missing, empty, a folder, corrupt or of another kind.
        NoAudio: the file has no sound, or every sample is NaN.

    Warns:
        DeclaimWarning: as `declaim.media.read_audio`.
    """
    path, report = Path(path), SoundReport()
    n_samples, peak = 0, 0.0
    for block in _blocks(path, report):
        n_samples, peak = n_samples + len(block), max(peak, float(np.abs(block).max()))
        if hear is not None:
            hear(torch.from_numpy(block))
    warn_of_damage(path, report)
    return Recording(path, max(n_samples, 1), peak, scale_of(path, peak))


def _blocks(path: Path, report: SoundReport | None = None) -> Iterator[Float32[np.ndarray, " samples"]]:
    """A file's samples, `BLOCK_S` of them but for the last block."""
    size, held = BLOCK_S * SAMPLE_RATE, [np.zeros(0, np.float32)]
    for block in stream_sound(path, SAMPLE_RATE, report=report):
        held.append(block[:, 0])
        if sum(map(len, held)) >= size:
            joined = np.concatenate(held)
            yield joined[:size]
            held = [joined[size:]]
    if any(map(len, held)):
        yield np.concatenate(held)
