# ruff: noqa: RUF001 - phonetic letters look like others on purpose
"""The demo's speech, synthesised with Kokoro-82M: ``python -m declaim.recipes.demo_speech speech.flac``.

Needs ``pip install '.[speech]'``, ``declaim assets pull kokoro`` and the program espeak-ng (for phonemes).
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from declaim.assets import locate
from declaim.errors import CapacityError, ConfigError
from declaim.pretrained import atomic_file

SAMPLE_RATE = 24_000
"""Kokoro's own rate, in hertz."""

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

_STYLE_DIM = 256
_PEAK = 0.7
_SILENCE, _MARGIN_S, _FADE_S = 0.004, 0.04, 0.01
_PUNCTUATION = ",.;:!?"
# espeak-ng's American English to the letters that Kokoro was trained on; longer spellings come first
_LETTERS = (
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("e^ɪ", "A"),
    ("o^ʊ", "O"),
    ("ɔ^ɪ", "Y"),
    ("t^ʃ", "ʧ"),
    ("d^ʒ", "ʤ"),
    ("ə^l", "ᵊl"),
    ("ɜːɹ", "ɜɹ"),
    ("ɜː", "ɜɹ"),
    ("ɚ", "əɹ"),
    ("ɾ", "T"),
    ("ɐ", "ə"),
    ("g", "ɡ"),
    ("r", "ɹ"),
    ("ː", ""),
    ("^", ""),
    ("o", "ɔ"),
    ("ʔ", "t"),
)


def phonemes(text: str) -> str:
    """American English phonemes of ``text`` in Kokoro's letters, punctuation kept.

    Raises:
        CapacityError: espeak-ng is not installed.
    """
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        raise CapacityError("espeak-ng is not installed; on Debian and Ubuntu run: apt-get install espeak-ng")
    spoken = ""
    for piece in re.findall(rf"[^{_PUNCTUATION}]+|[{_PUNCTUATION}]+", text):
        if piece[0] in _PUNCTUATION:
            spoken += f"{piece} "
        elif words := piece.strip():
            command = [espeak, "-q", "--ipa=3", "--tie=^", "-v", "en-us", words]
            ipa = " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
            for theirs, ours in _LETTERS:
                ipa = ipa.replace(theirs, ours)
            spoken += ipa
    return spoken.strip()


class Kokoro:
    """The voice. Runs on one core, about as fast as people speak or faster.

    Raises:
        AssetError: the asset ``kokoro`` is not on this machine.
        ConfigError: onnxruntime is not installed.
    """

    def __init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError("onnxruntime is not installed; run: pip install '.[speech]'") from error
        folder = locate("kokoro")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self._vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._styles = np.fromfile(folder / f"{VOICE}.bin", np.float32).reshape(-1, _STYLE_DIM)

    def say(self, text: str, speed: float = 1.0) -> Float32[np.ndarray, " samples"]:
        """One sentence at 24 kHz, silence at its ends cut to a short margin. ``speed`` 1 is the voice's own."""
        tokens = [self._vocabulary[letter] for letter in phonemes(text) if letter in self._vocabulary]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": self._styles[[min(len(tokens), len(self._styles)) - 1]],
            "speed": np.array([speed], np.float32),
        }
        return _trimmed(np.asarray(self._session.run(None, inputs)[0], np.float32).ravel())


def speak(parts: tuple[str | float, ...]) -> Float32[np.ndarray, " samples"]:
    """Sentences and pauses (seconds) in a row, peak at -3 dBFS."""
    voice = Kokoro()
    pieces = [
        np.zeros(round(part * SAMPLE_RATE), np.float32) if isinstance(part, float) else voice.say(part)
        for part in parts
    ]
    samples = np.concatenate(pieces)
    return samples * np.float32(_PEAK / np.abs(samples).max())


def _trimmed(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " kept"]:
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
