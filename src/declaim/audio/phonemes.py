"""Where p, b and m are spoken: forced alignment of known words with pocketsphinx (optional package).

words ──► pronunciations ──► pass 1: words ──► pass 2: phonemes ──► spans of frames of P, B, M
                              (10 ms steps of sound)                   (40 ms video frames)
"""

import re
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from declaim.audio.waveform import prepared
from declaim.errors import ConfigError
from declaim.timebase import FPS
from declaim.types import Speech

BILABIALS = ("P", "B", "M")
"""Phonemes that close the lips (ARPAbet)."""

STEP_S = 0.01
"""Resolution of the alignment."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_GRID = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},  # GRID has no w: it is the only long letter name
    dict(zip("z123456789", _DIGITS, strict=True)),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
_GRID_CODE = re.compile("(?<![a-z0-9])" + "".join(f"[{''.join(words)}]" for words in _GRID) + "(?![a-z0-9])")


@dataclass(frozen=True)
class Phoneme:
    """One phoneme in time.

    Attributes:
        name: ARPAbet, ``"SIL"`` for silence.
        word: the word it belongs to.
        start_s: where it begins, seconds.
        stop_s: where it ends, seconds.
    """

    name: str
    word: str
    start_s: float
    stop_s: float


def grid_words(name: str) -> list[str] | None:
    """The six words that a GRID file name spells: ``"s1/bbab8n.mpg"`` -> bin blue at b eight now.

    Args:
        name: a path or address; the last six-letter code in it counts.

    Returns:
        The words, or None where ``name`` holds no such code.
    """
    codes = _GRID_CODE.findall(name.lower().replace("_", "/"))
    return [words[letter] for words, letter in zip(_GRID, codes[-1], strict=True)] if codes else None


def align(speech: Speech, words: list[str]) -> list[Phoneme]:
    """When each phoneme of ``words`` is spoken in ``speech``.

    Args:
        speech: the whole utterance; pauses between the words are found.
        words: the words spoken, in order, lower case, all in the CMU dictionary.

    Raises:
        ConfigError: pocketsphinx is not installed, or the words cannot be found in this sound.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise ConfigError("pocketsphinx is not installed; run: pip install 'declaim[evaluate]'") from error
    sound = _pcm(prepared(speech).samples)
    # Wide beams: an alignment may never be pruned away. No bestpath: its word borders can be too tight for phonemes.
    decoder = Decoder(lm=None, loglevel="FATAL", cmn="batch", bestpath=False, beam=1e-64, pbeam=1e-64, wbeam=1e-56)
    try:
        decoder.set_align_text(" ".join(words))
        _decode(decoder, sound)
        decoder.set_alignment()
        _decode(decoder, sound)
        found = decoder.get_alignment()
    except RuntimeError as error:
        raise ConfigError(f"the words {' '.join(words)!r} cannot be aligned with this sound") from error
    return [
        Phoneme(
            phoneme.name,
            re.sub(r"\(\d+\)$", "", word.name),
            phoneme.start * STEP_S,
            (phoneme.start + phoneme.duration) * STEP_S,
        )
        for word in found
        for phoneme in word
    ]


def _decode(decoder: object, sound: bytes) -> None:
    decoder.start_utt()  # type: ignore[attr-defined]
    decoder.process_raw(sound, full_utt=True)  # type: ignore[attr-defined]
    decoder.end_utt()  # type: ignore[attr-defined]


def _pcm(samples: Float[Tensor, " samples"]) -> bytes:
    return bytes((samples * 32767).round().short().numpy().tobytes())


def frame_spans(phonemes: list[Phoneme], n_frames: int, names: tuple[str, ...] = BILABIALS) -> list[tuple[int, int]]:
    """Video frames that overlap each phoneme called one of ``names``: (first frame, one past the last).

    Phonemes wholly outside the clip's ``n_frames`` are left out.
    """
    fps = float(FPS)
    spans = []
    for phoneme in phonemes:
        start, stop = int(phoneme.start_s * fps + 1e-6), int(-(-(phoneme.stop_s * fps - 1e-6) // 1))
        if phoneme.name in names and start < n_frames:
            spans.append((start, min(max(stop, start + 1), n_frames)))
    return spans
