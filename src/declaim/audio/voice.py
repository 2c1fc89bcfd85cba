# ruff: noqa: RUF001 - phonetic letters look like others on purpose
r"""Speech synthesis with Kokoro-82M that tells when each phoneme is spoken.

    text --> eSpeak NG --> Kokoro's letters --> network --> sound at 24 kHz
                                                      \--> duration of every letter, in units of 600 samples

The durations are the network's own: it stretches each letter to that many units before it makes sound of them. Their
sum is the length of the sound to the sample; the sound itself leads them by `LEAD_S`, which is taken out.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from declaim.assets import ASSETS, locate
from declaim.audio.espeak import Accent, ipa
from declaim.audio.phonemes import Phoneme
from declaim.errors import ConfigError

SAMPLE_RATE = 24_000
"""Kokoro's own rate, in hertz."""
UNIT = 600
"""Samples of one unit of duration."""

LEAD_S = 0.06
"""How far the sound is ahead of the durations. Measured: with phonemes moved by this much, their mean level explains
most of the level over time (52 % of its variance, 39 % unmoved), at all speeds and pitches tried."""

_DURATIONS = "/encoder/Clip_output_0"
_STYLE_DIM = 256
_PUNCTUATION = ",.;:!?"
_QUIET = 0.03
"""A gap between words counts as silence below this share of the utterance's loudest 5 ms (root mean square)."""
# eSpeak NG's letters to those that Kokoro was trained on; longer spellings come first
_LETTERS = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("e^ɪ", "A"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("ɔ^ɪ", "Y"), ("t^ʃ", "ʧ"), ("d^ʒ", "ʤ"),
    ("ə^l", "ᵊl"), ("e^ə", "ɛə"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("n̩", "ᵊn"), ("ɾ", "T"), ("ɐ", "ə"),
    ("g", "ɡ"), ("r", "ɹ"), ("ː", ""), ("^", ""), ("o", "ɔ"), ("ʔ", "t"),
)  # fmt: skip
_ARPABET = {
    "A": "EY", "I": "AY", "O": "OW", "Q": "OW", "W": "AW", "Y": "OY", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH",
    "ɛ": "EH", "e": "EH", "æ": "AE", "a": "AE", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "ʌ": "AH", "ə": "AH", "ɐ": "AH",
    "ᵊ": "AH", "ʊ": "UH", "u": "UW", "ɜ": "ER", "ɚ": "ER", "p": "P", "b": "B", "t": "T", "d": "D", "T": "D", "k": "K",
    "ɡ": "G", "ʧ": "CH", "ʤ": "JH", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH",
    "ʒ": "ZH", "h": "HH", "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɹ": "R", "j": "Y", "w": "W", "x": "K",
}  # fmt: skip
_STRESS = "ˈˌ"


@dataclass(frozen=True, eq=False)
class Utterance:
    """Sound with its phonemes.

    Attributes:
        samples: at 24 kHz.
        phonemes: ARPAbet, ``"SIL"`` for silence, back to back from 0 to the end; ``word`` is its number in the text.
    """

    samples: Float32[np.ndarray, " samples"]
    phonemes: tuple[Phoneme, ...]


def voices() -> tuple[str, ...]:
    """Every known voice: ``af_bella`` comes with the asset ``kokoro``, the others with ``kokoro-voices``."""
    files = (*ASSETS["kokoro"].files, *ASSETS["kokoro-voices"].files)
    return tuple(sorted(Path(file.name).stem for file in files if file.name.endswith(".bin")))


def letters(text: str, accent: Accent = "en-us") -> str:
    """English ``text`` in Kokoro's letters, punctuation kept.

    Raises:
        ConfigError: eSpeak NG is not installed.
    """
    spoken = ""
    for piece in re.findall(rf"[^{_PUNCTUATION}]+|[{_PUNCTUATION}]+", text):
        if piece[0] in _PUNCTUATION:
            spoken += f"{piece} "
        elif words := piece.strip():
            heard = ipa(words, accent)
            for theirs, ours in _LETTERS:
                heard = heard.replace(theirs, ours)
            spoken += heard
    return spoken.strip()


class Kokoro:
    """A voice. Runs on one core, about as fast as people speak.

    Args:
        voice: one of `voices`.

    Raises:
        AssetError: the asset ``kokoro`` (or ``kokoro-voices``) is not on this machine.
        ConfigError: onnxruntime is not installed, or there is no such voice.
    """

    def __init__(self, voice: str = "af_bella") -> None:
        self._styles = {voice: _style(voice)}
        folder = locate("kokoro")
        self._vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._session = _session((folder / "model.onnx").read_bytes())
        self.voice = voice

    def change(self, voice: str) -> None:
        """Speak with another voice from now on."""
        self._styles.setdefault(voice, _style(voice))
        self.voice = voice

    def say(self, text: str, speed: float = 1.0) -> Utterance:
        """One sentence; ``speed`` 1 is the voice's own.

        Raises:
            ConfigError: there is nothing to say in it, or eSpeak NG is not installed.
        """
        accent: Accent = "en-gb" if self.voice.startswith("b") else "en-us"
        spelt = [letter for letter in letters(text, accent) if letter in self._vocabulary]
        if not any(letter in _ARPABET for letter in spelt):
            raise ConfigError(f"there is nothing to say in {text!r}; expected English words")
        styles = self._styles[self.voice]
        inputs = {
            "tokens": np.array([[0, *(self._vocabulary[letter] for letter in spelt), 0]], np.int64),
            "style": styles[[min(len(spelt), len(styles)) - 1]],
            "speed": np.array([speed], np.float32),
        }
        sound, durations = self._session.run(["audio", _DURATIONS], inputs)
        samples = np.asarray(sound, np.float32).ravel()
        return Utterance(samples, timed(["", *spelt, ""], durations.ravel().astype(int).tolist(), samples))


def timed(spelt: list[str], units: list[int], samples: Float32[np.ndarray, " samples"]) -> tuple[Phoneme, ...]:
    """Phonemes in time from the durations of Kokoro's letters.

    Stress marks belong to the vowel after them. Punctuation and the ends are silence; so are gaps between words that
    are quiet, while of the others each neighbour gets half. ``ɜɹ`` and ``əɹ`` are ER.

    Args:
        spelt: letters, ``""`` for the two ends.
        units: duration of each, in `UNIT`.
        samples: the sound, for telling silence.
    """
    floor, lead = float(_QUIET * _loudness(samples).max(initial=0.0)), round(LEAD_S * SAMPLE_RATE)
    rows: list[tuple[str, int, int, int]] = []  # name, word, start, stop
    ends = np.cumsum(units) * UNIT - lead
    ends[-1] += lead
    at, word, waiting, before = 0, 0, None, ""
    for letter, end in zip(spelt, ends.tolist(), strict=True):
        start, at = at if waiting is None else waiting, max(end, 0)
        waiting = None
        if letter in _STRESS and letter:
            waiting = start
        elif name := _ARPABET.get(letter):
            if name == "R" and before in ("ɜ", "ə") and rows[-1][3] == start:
                rows[-1] = ("ER", word, rows[-1][2], at)
            else:
                rows.append((name, word, start, at))
        else:
            word += letter == " "
            rows.append((" " if letter == " " else "SIL", word, start, at))
        before = letter
    return tuple(
        Phoneme(name, str(w), start / SAMPLE_RATE, stop / SAMPLE_RATE)
        for name, w, start, stop in _without_gaps(rows, samples, floor)
    )


def _without_gaps(
    rows: list[tuple[str, int, int, int]], samples: Float32[np.ndarray, " samples"], floor: float
) -> list[tuple[str, int, int, int]]:
    """Gaps between words made silence or given to their neighbours; neighbouring silences joined."""
    kept: list[tuple[str, int, int, int]] = []
    owed: int | None = None
    for i, (name, word, start, stop) in enumerate(rows):
        begin, owed = (start if owed is None else owed), None
        if name == " ":
            loud = float(_loudness(samples[start:stop]).max(initial=0.0)) > floor
            if loud and kept and kept[-1][0] != "SIL" and i + 1 < len(rows) and rows[i + 1][0] != "SIL":
                owed = (start + stop) // 2
                kept[-1] = (*kept[-1][:3], owed)
                continue
        silent = name in (" ", "SIL")
        if silent and kept and kept[-1][0] == "SIL":
            kept[-1] = (*kept[-1][:3], stop)
        elif stop > begin:
            kept.append(("SIL" if silent else name, word, begin, stop))
    return kept


def _loudness(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " steps"]:
    """Root mean square of every whole 5 ms."""
    step = SAMPLE_RATE // 200
    return np.sqrt(np.square(samples[: len(samples) // step * step].reshape(-1, step)).mean(1))


def _style(voice: str) -> Float32[np.ndarray, "lengths style"]:
    if voice not in voices():
        raise ConfigError(f"there is no voice {voice!r}; there are: {', '.join(voices())}")
    folder = locate("kokoro" if voice == "af_bella" else "kokoro-voices")
    return np.fromfile(folder / f"{voice}.bin", np.float32).reshape(-1, _STYLE_DIM)


def _session(model: bytes) -> Any:
    """The network on one thread, with the letters' durations as a further output.

    Protocol buffers merge when they are joined: a message that holds nothing but one more graph output, written after
    the model, adds that output.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("onnxruntime is not installed; run: pip install 'declaim[speech]'") from error
    graph, output, name = 7, 12, 1  # field numbers of ModelProto.graph, GraphProto.output, ValueInfoProto.name
    addition = _field(graph, _field(output, _field(name, _DURATIONS.encode())))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model + addition, options)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protocol buffer field of less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content
