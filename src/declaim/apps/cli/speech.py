"""Speech as the commands read it: in blocks, with a word where it hardly seems to be any."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from declaim.errors import DeclaimWarning

if TYPE_CHECKING:
    from declaim.media import Recording

LEAST_S = 3.0
"""Seconds from which sound is judged: the thresholds were found on clips of three seconds and more."""


def read_speech(path: Path) -> "Recording":
    """A speech that stays in its file.

    Raises:
        MediaError: the file cannot be used.

    Warns:
        DeclaimWarning: next to nothing in it is as loud as speech, or its level is as steady as music or noise.
    """
    import torch

    from declaim.audio.activity import speech_activity
    from declaim.data.prepare.quality import QUIET_SHARE, STEADY_DB, piece_levels_db, range_of_levels
    from declaim.media import read_recording

    levels: list[torch.Tensor] = []
    speech = read_recording(path, lambda block: levels.append(piece_levels_db(block)))
    if speech.duration_s >= LEAST_S and speech.peak > 0:  # of digital silence, read_recording speaks itself
        if float(speech_activity(speech).float().mean()) < QUIET_SHARE:
            warnings.warn(f"{path} is almost silent; the face will live but hardly speak", DeclaimWarning, stacklevel=2)
        elif range_of_levels(torch.cat(levels)) < STEADY_DB:
            warnings.warn(
                f"{path} sounds like music or noise rather than speech; lips follow whatever is heard",
                DeclaimWarning, stacklevel=2,
            )  # fmt: skip
    return speech
