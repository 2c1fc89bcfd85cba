"""Clips of synthetic speech: some sentences of one voice with pauses, in a manner and a recording of their own."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import soxr
import torch
from jaxtyping import Float32
from scipy.signal import lfilter

from declaim.audio.phonemes import Phoneme
from declaim.audio.voice import SAMPLE_RATE as VOICE_RATE
from declaim.audio.voice import Utterance
from declaim.data.synthetic.sentences import sentence
from declaim.errors import CheckpointError
from declaim.pretrained import atomic_file
from declaim.timebase import FPS, SAMPLE_RATE, frames_in, samples_in
from declaim.types import Speech

SPEED = (0.8, 1.25)
"""Slowest and fastest manner of speaking; 1 is the voice's own."""
PITCH = (0.88, 1.14)
"""Lowest and highest factor on pitch and formants together, by resampling: another head speaks."""
SENTENCES = (1, 3)
"""Fewest and most sentences of a clip."""
PAUSE_S = (0.0, 0.5)
"""Silence added before, between and after the sentences, beside the voice's own."""
PEAK = (0.25, 0.9)
SNR_DB = (22.0, 50.0)
"""Speech to noise: recordings are rarely as clean as a synthetic voice."""
TILT = (-0.35, 0.35)
"""Weight of the sample before: duller or sharper microphones."""


@dataclass(frozen=True, eq=False)
class SpokenClip:
    """Synthetic speech with its phonemes.

    Attributes:
        speech: 16 kHz, whole frames of 40 ms.
        phonemes: back to back from 0 to the end.
        text: what is said.
        speed: tempo of speaking.
        pitch: factor on pitch and formants.
    """

    speech: Speech
    phonemes: tuple[Phoneme, ...]
    text: str
    speed: float
    pitch: float


def clip_generator(seed: int, voice: str, number: int) -> np.random.Generator:
    """Random numbers of one clip, the same whatever else is made."""
    key = int.from_bytes(hashlib.sha256(voice.encode()).digest()[:4], "big")
    return np.random.default_rng((seed, key, number))


@runtime_checkable
class Speaker(Protocol):
    """Who can speak; see `declaim.audio.voice.Kokoro`."""

    voice: str

    def say(self, text: str, speed: float = 1.0) -> Utterance:
        """One sentence."""
        ...


def speak_clip(speaker: Speaker, seed: int, number: int) -> SpokenClip:
    """Clip ``number`` of the speaker's present voice.

    Raises:
        ConfigError: eSpeak NG is not installed.
    """
    rng = clip_generator(seed, speaker.voice, number)
    texts = [sentence(rng) for _ in range(rng.integers(SENTENCES[0], SENTENCES[1] + 1))]
    speed = round(float(np.exp(rng.uniform(*np.log(SPEED)))), 3)
    pitch = round(float(np.exp(rng.uniform(*np.log(PITCH)))), 3)
    pieces: list[Float32[np.ndarray, " samples"]] = []
    spans: list[tuple[str, int, int]] = []
    at = 0
    for text in [*texts, ""]:
        pause = round(float(rng.uniform(*PAUSE_S)) * VOICE_RATE)
        spans.append(("SIL", at, at + pause))
        pieces.append(np.zeros(pause, np.float32))
        at += pause
        if text:
            said = speaker.say(text, speed)
            pieces.append(said.samples)
            ends = [(p.name, round(p.start_s * VOICE_RATE), round(p.stop_s * VOICE_RATE)) for p in said.phonemes]
            spans += [(name, at + start, at + stop) for name, start, stop in ends]
            at += len(said.samples)
    rate = VOICE_RATE * pitch
    sound = soxr.resample(np.concatenate(pieces), rate, SAMPLE_RATE, quality="HQ")
    n_samples = samples_in(frames_in(len(sound)))
    recorded = _recorded(np.pad(sound, (0, n_samples - len(sound))).astype(np.float32), rng)
    phonemes = _joined([(name, start / rate, stop / rate) for name, start, stop in spans], n_samples / SAMPLE_RATE)
    return SpokenClip(Speech(torch.from_numpy(recorded), SAMPLE_RATE), phonemes, " ".join(texts), speed, pitch)


def _recorded(sound: Float32[np.ndarray, " samples"], rng: np.random.Generator) -> Float32[np.ndarray, " samples"]:
    """``sound`` through a microphone with noise, at some level."""
    tilted = lfilter([1.0, rng.uniform(*TILT)], [1.0], sound)
    noise = lfilter([1.0], [1.0, -rng.uniform(0.0, 0.95)], rng.standard_normal(len(sound)))
    ratio = 10.0 ** (rng.uniform(*SNR_DB) / 20.0)
    noisy = tilted + noise * (tilted.std() / ratio / noise.std())
    return np.asarray(noisy * (rng.uniform(*PEAK) / np.abs(noisy).max()), np.float32)


def _joined(spans: Sequence[tuple[str, float, float]], end_s: float) -> tuple[Phoneme, ...]:
    """Phonemes from spans, silences that touch joined, the last one held to the end."""
    kept: list[tuple[str, float, float]] = []
    for name, start, stop in spans:
        if stop <= start:
            continue
        if name == "SIL" and kept and kept[-1][0] == "SIL":
            kept[-1] = ("SIL", kept[-1][1], stop)
        else:
            kept.append((name, start, stop))
    kept[-1] = (*kept[-1][:2], end_s)
    return tuple(Phoneme(name, "", start, stop) for name, start, stop in kept)


def write_phonemes(path: Path, clip: SpokenClip) -> None:
    """Write the phonemes as JSON: text, manner, and (phoneme, start_s, stop_s) in order."""
    rows = [{"phoneme": p.name, "start_s": round(p.start_s, 6), "stop_s": round(p.stop_s, 6)} for p in clip.phonemes]
    content = {"text": clip.text, "speed": clip.speed, "pitch": clip.pitch, "phonemes": rows}
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_phonemes(path: Path) -> tuple[Phoneme, ...]:
    """Read what `write_phonemes` wrote.

    Raises:
        CheckpointError: missing or damaged.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))["phonemes"]
        return tuple(Phoneme(str(r["phoneme"]), "", float(r["start_s"]), float(r["stop_s"])) for r in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} holds no phonemes: {error}") from error


def frames_of(phonemes: Sequence[Phoneme]) -> int:
    """Video frames that the phonemes cover."""
    return frames_in(round(phonemes[-1].stop_s * SAMPLE_RATE), SAMPLE_RATE, FPS)
