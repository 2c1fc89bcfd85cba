"""The demo's speech, synthesised with Kokoro-82M: ``python -m declaim.recipes.demo_speech speech.flac``.

Needs ``pip install 'declaim[speech]'`` and ``declaim assets pull kokoro``.
"""

import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from declaim.audio.voice import SAMPLE_RATE, Kokoro
from declaim.pretrained import atomic_file

VOICE = "af_bella"
DEMO: tuple[str | float, ...] = (
    0.2,
    "Hello!",
    0.25,
    "A moment ago, I was simply a photograph.",
    0.8,
    "Now my lips move, because a program called declaim listens to this voice.",
    0.3,
    "Both the motion and the voice were made by a computer.",
    0.8,
    "Maybe bring a portrait of your own, and make it speak!",
    0.4,
)
"""What is said; numbers are pauses in seconds."""

_PEAK = 0.7
_SILENCE, _MARGIN_S, _FADE_S = 0.004, 0.04, 0.01


def speak(parts: tuple[str | float, ...]) -> Float32[np.ndarray, " samples"]:
    """Sentences and pauses (seconds) in a row, peak at -3 dBFS."""
    voice = Kokoro(VOICE)
    pieces = [
        np.zeros(round(part * SAMPLE_RATE), np.float32)
        if isinstance(part, float)
        else _trimmed(voice.say(part).samples)
        for part in parts
    ]
    samples = np.concatenate(pieces)
    return samples * np.float32(_PEAK / np.abs(samples).max())


def _trimmed(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " kept"]:
    """Silence at the ends cut to a short margin."""
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    margin, fade = round(_MARGIN_S * SAMPLE_RATE), round(_FADE_S * SAMPLE_RATE)
    kept = samples[max(0, loud[0] - margin) : loud[-1] + margin].copy()
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    kept[:fade] *= ramp
    kept[-fade:] *= ramp[::-1]
    return kept


def main(path: Path) -> None:
    """Write the demo's speech to ``path`` (FLAC, 16 bits)."""
    import soundfile

    with atomic_file(path) as partial:
        soundfile.write(partial, speak(DEMO), SAMPLE_RATE, subtype="PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
