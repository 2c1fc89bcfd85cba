"""Seconds, samples and frames: every conversion between them, in exact arithmetic.

Conventions:
    Frame ``i`` of a clip at ``fps`` covers the half-open interval ``[i / fps, (i + 1) / fps)``.
    Sample ``n`` at ``sample_rate`` covers ``[n / sample_rate, (n + 1) / sample_rate)``.
    A clip of speech and its video have the same length: the last frame may be partly filled.
"""

from fractions import Fraction

FPS = Fraction(25)
"""Frame rate of every motion in declaim."""

SAMPLE_RATE = 16_000
"""Sample rate, in hertz, of every speech signal inside declaim."""


def frames_in(n_samples: int, sample_rate: int = SAMPLE_RATE, fps: Fraction = FPS) -> int:
    """Number of frames that cover ``n_samples``: the ceiling, so no tail is ever lost."""
    return -((-n_samples * fps.numerator) // (sample_rate * fps.denominator))


def samples_in(n_frames: int, sample_rate: int = SAMPLE_RATE, fps: Fraction = FPS) -> int:
    """Number of samples that ``n_frames`` last, rounded up."""
    return -((-n_frames * sample_rate * fps.denominator) // fps.numerator)


def frame_at(seconds: float, fps: Fraction = FPS) -> int:
    """Index of the frame that is on screen at ``seconds``."""
    return int((Fraction(seconds).limit_denominator(1_000_000) * fps).__floor__())


def sample_at(seconds: float, sample_rate: int = SAMPLE_RATE) -> int:
    """Index of the sample nearest to ``seconds``."""
    return round(seconds * sample_rate)


def frame_start_s(frame: int, fps: Fraction = FPS) -> float:
    """Time in seconds at which ``frame`` appears."""
    return float(Fraction(frame) / fps)


def duration_s(n_frames: int, fps: Fraction = FPS) -> float:
    """Length in seconds of ``n_frames``."""
    return float(Fraction(n_frames) / fps)
