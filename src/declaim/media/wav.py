"""Sound copied out of a file as WAV, which every 3-D program reads: 16 bits, at its own rate, in constant memory."""

import wave
from pathlib import Path

import numpy as np

from declaim.media.audio_io import sound_rate, stream_sound
from declaim.pretrained import atomic_file

_FULL_SCALE = 32767


def copy_sound(source: str | Path, path: str | Path) -> Path:
    """Write the sound of an audio or video file as WAV, mono or stereo; the file appears whole or not at all.

    A source that is itself the file to write is left as it is.

    Args:
        source: what to read.
        path: where to; the name should end in ``.wav``.

    Returns:
        The path.

    Raises:
        Unreadable, NoAudio: the source cannot be used.
        Unwritable: the folder is missing or may not be written.
    """
    source, path = Path(source), Path(path)
    if path.exists() and path.samefile(source):
        return path
    rate, channels = sound_rate(source)
    with atomic_file(path) as partial, wave.open(str(partial), "wb") as file:
        file.setnchannels(min(channels, 2))
        file.setsampwidth(2)
        file.setframerate(rate)
        for block in stream_sound(source, channels=min(channels, 2)):
            file.writeframes(np.rint(np.clip(block, -1, 1) * _FULL_SCALE).astype("<i2").tobytes())
    return path
