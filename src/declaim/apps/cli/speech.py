"""Speech as the commands read it: with a word where it hardly seems to be any."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from declaim.errors import DeclaimWarning

if TYPE_CHECKING:
    from declaim.types import Speech

LEAST_S = 3.0
"""Seconds from which sound is judged: the thresholds were found on clips of three seconds and more."""


def read_speech(path: Path) -> "Speech":
    """Read a speech.

    Raises:
        MediaError: the file cannot be used.

    Warns:
        DeclaimWarning: next to nothing in it is as loud as speech, or its level is as steady as music or noise.
    """
    from declaim.audio.activity import speech_activity
    from declaim.audio.waveform import prepared
    from declaim.data.prepare.quality import QUIET_SHARE, STEADY_DB, level_range_db
    from declaim.media import read_audio

    speech = read_audio(path)
    if speech.duration_s >= LEAST_S and bool(speech.samples.any()):  # of digital silence, read_audio speaks itself
        if float(speech_activity(speech).float().mean()) < QUIET_SHARE:
            warnings.warn(f"{path} is almost silent; the face will live but hardly speak", DeclaimWarning, stacklevel=2)
        elif level_range_db(prepared(speech).samples) < STEADY_DB:
            warnings.warn(
                f"{path} sounds like music or noise rather than speech; lips follow whatever is heard",
                DeclaimWarning, stacklevel=2,
            )  # fmt: skip
    return speech
