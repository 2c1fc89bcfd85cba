r"""A corpus of synthetic speech: every voice a speaker, split ``synthetic``, lips made from exact phonemes.

    sentences -> Kokoro -> speech.flac, phonemes.json -> motion.safetensors (lips alone, head still)
                                                     \-> activity.safetensors
                        \-> encoder -> features-ENCODER-1.00.safetensors

A clip depends on the seed, its voice and its number alone. A file that is there is work that is done.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from jaxtyping import Bool
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

from declaim.audio.espeak import phonemizer
from declaim.audio.phonemes import Phoneme
from declaim.audio.voice import Kokoro, voices
from declaim.data import executors
from declaim.data.corpus import (
    ACTIVITY,
    CLIPS_FILE,
    CLIPS_FOLDER,
    CORPUS_FILE,
    MOTION,
    SPEECH,
    ClipRecord,
    CorpusInfo,
    Quality,
    features_key,
    file_entry,
    read_info,
    write_info,
    write_lines,
)
from declaim.data.prepare.stages import encoder_named, stage_file
from declaim.data.synthetic.speech import frames_of, read_phonemes, speak_clip, write_phonemes
from declaim.data.synthetic.visemes import SILENCE, Visemes
from declaim.errors import CapacityError, ConfigError
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.media import read_audio, write_audio
from declaim.pretrained import atomic_file, save_tensors
from declaim.timebase import FPS, duration_s

SPLIT = "synthetic"
PHONEMES_KEY = "phonemes"
CLIP_S = 7.0
"""Usual length of a clip: how many clips a voice is given follows from it."""

OnClip = Callable[[int, int], None]


class SynthesisOptions(BaseModel):
    """What a synthetic corpus is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minutes: float = Field(60.0, gt=0, le=6000, allow_inf_nan=False)
    """Minutes of speech in all, about."""
    voices: tuple[str, ...] = Field(default_factory=voices, min_length=1)
    """Who speaks."""
    seed: int = Field(0, ge=0)
    """Other seeds make other sentences in other manners."""
    encoder: str = "whisper-tiny.en"
    """Speech encoder of the features."""

    @field_validator("voices")
    @classmethod
    def _known(cls, chosen: tuple[str, ...]) -> tuple[str, ...]:
        for voice in chosen:
            if voice not in voices():
                raise ValueError(f"there is no voice {voice!r}; there are: {', '.join(voices())}")
        if len(set(chosen)) < len(chosen):
            raise ValueError("a voice is named twice; name each one once")
        return chosen

    @property
    def clips_per_voice(self) -> int:
        """How many clips each voice speaks."""
        return max(1, round(self.minutes * 60.0 / CLIP_S / len(self.voices)))

    def settings(self) -> dict[str, str | int | float | bool | list[float] | None]:
        """What the clips depend on, for ``corpus.json``."""
        return {
            "minutes": self.minutes, "voices": ",".join(self.voices), "seed": self.seed, "encoder": self.encoder,
            "phonemizer": phonemizer(),
        }  # fmt: skip


@dataclass(frozen=True)
class ClipPlan:
    """One clip to be made."""

    voice: str
    number: int

    @property
    def name(self) -> str:
        """The clip's."""
        return f"{self.voice}_{self.number:04d}"


def synthesize(
    corpus: Path, options: SynthesisOptions, *, workers: int = 1, visemes: Path | None = None,
    on_clip: OnClip | None = None,
) -> list[ClipRecord]:  # fmt: skip
    """Make a synthetic corpus, or complete one.

    Args:
        corpus: its folder.
        options: voices, minutes, seed, encoder.
        workers: processes.
        visemes: folder of visemes; those that ship for None.
        on_clip: called with (clips done, clips in all).

    Raises:
        ConfigError: the folder holds something else or a corpus with other settings; eSpeak NG or onnxruntime is not
            installed.
        AssetError: Kokoro or the encoder has not been fetched.
        CapacityError: a worker died twice over the same clip.
    """
    corpus = Path(corpus)
    claim(corpus, options)
    plans = [ClipPlan(voice, number) for number in range(options.clips_per_voice) for voice in options.voices]
    made: dict[str, ClipRecord] = {}

    def on_result(plan: ClipPlan, outcome: ClipRecord | executors.WorkerLost) -> None:
        if isinstance(outcome, executors.WorkerLost):
            raise CapacityError(f"clip {plan.name} could not be made: {outcome.reason}")
        made[plan.name] = outcome
        if on_clip:
            on_clip(len(made), len(plans))

    function = partial(make_clip, corpus=corpus, options=options, visemes=visemes)
    executors.run(function, plans, workers=workers, on_result=on_result)
    records = [made[name] for name in sorted(made)]
    write_lines(corpus / CLIPS_FILE, records)
    return records


def claim(corpus: Path, options: SynthesisOptions) -> None:
    """Begin a corpus, or check that the one there is the same.

    Raises:
        ConfigError: the folder holds something else or a corpus with other settings.
    """
    settings = options.settings()
    if (corpus / CORPUS_FILE).exists():
        found = read_info(corpus).settings
        differing = [key for key in settings if found.get(key) != settings[key]]
        if differing:
            key = differing[0]
            raise ConfigError(
                f"{corpus} is a corpus with {key} {found.get(key)!r}, now asked for with {settings[key]!r}; "
                "give the same options, or another folder"
            )
        return
    if corpus.exists() and any(entry.name != CLIPS_FOLDER for entry in corpus.iterdir()):
        raise ConfigError(f"{corpus} holds other things; give a new or empty folder")
    write_info(corpus, CorpusInfo(encoder=options.encoder, made_by="declaim synthesize", settings=settings))


def make_clip(plan: ClipPlan, corpus: Path, options: SynthesisOptions, visemes: Path | None = None) -> ClipRecord:
    """Make what is missing of one clip; its record."""
    folder = corpus / CLIPS_FOLDER / plan.name
    folder.mkdir(parents=True, exist_ok=True)
    phonemes_file = folder / f"{PHONEMES_KEY}.json"
    if not (phonemes_file.is_file() and stage_file(folder, SPEECH).is_file()):
        speaker = _speaker()
        speaker.change(plan.voice)
        spoken = speak_clip(speaker, options.seed, plan.number)
        write_audio(stage_file(folder, SPEECH), spoken.speech)
        write_phonemes(phonemes_file, spoken)
    phonemes = read_phonemes(phonemes_file)
    n_frames = frames_of(phonemes)
    feature_key = features_key(options.encoder)
    _stage(stage_file(folder, MOTION), lambda: _motion(phonemes, n_frames, visemes))
    _stage(stage_file(folder, ACTIVITY), lambda: {"speaking": speaking(phonemes, n_frames)})
    _stage(stage_file(folder, feature_key), lambda: _features(stage_file(folder, SPEECH), options.encoder, n_frames))
    files = {key: file_entry(corpus, stage_file(folder, key)) for key in (SPEECH, MOTION, ACTIVITY, feature_key)}
    files[PHONEMES_KEY] = file_entry(corpus, phonemes_file)
    share = float(speaking(phonemes, n_frames).float().mean())
    return ClipRecord(
        name=plan.name, speaker=plan.voice, split=SPLIT, language="en-GB" if plan.voice.startswith("b") else "en-US",
        licence="Apache-2.0 (made with Kokoro-82M)", frames=n_frames, files=files, quality=Quality(speech_share=share),
    )  # fmt: skip


def speaking(phonemes: tuple[Phoneme, ...], n_frames: int) -> Bool[Tensor, " frames"]:
    """Frames of which at least half is no silence."""
    spoken: dict[int, float] = defaultdict(float)
    for phoneme in phonemes:
        if phoneme.name == SILENCE:
            continue
        for frame in range(int(phoneme.start_s * FPS), min(n_frames, int(phoneme.stop_s * FPS) + 1)):
            begin, end = duration_s(frame), duration_s(frame + 1)
            spoken[frame] += max(0.0, min(end, phoneme.stop_s) - max(begin, phoneme.start_s))
    return torch.tensor([spoken[frame] > 0.499 / float(FPS) for frame in range(n_frames)])


def corpus_phonemes(corpus: Path, clip: ClipRecord) -> tuple[Phoneme, ...]:
    """The phonemes of a synthetic clip.

    Raises:
        ConfigError: the clip is not of a synthetic corpus.
    """
    if PHONEMES_KEY not in clip.files:
        raise ConfigError(f"clip {clip.name} has no phonemes; only clips of declaim synthesize have them")
    return read_phonemes(corpus / clip.files[PHONEMES_KEY].path)


def _motion(phonemes: tuple[Phoneme, ...], n_frames: int, visemes: Path | None) -> dict[str, Tensor]:
    values = torch.zeros(n_frames, FACE64.dim)
    values[:, :N_EXPRESSION] = _visemes(visemes).mouth(phonemes, n_frames)
    return {"motion": values, "valid": torch.ones(n_frames, dtype=torch.bool)}


def _features(speech: Path, encoder: str, n_frames: int) -> dict[str, Tensor]:
    return {"features": encoder_named(encoder).encode(read_audio(speech))[:n_frames].half()}


def _stage(path: Path, make: Callable[[], dict[str, Tensor]]) -> None:
    if not path.is_file():
        tensors = make()
        with atomic_file(path) as partial:
            save_tensors(partial, tensors)


@cache
def _speaker() -> Kokoro:
    return Kokoro()


@cache
def _visemes(folder: Path | None) -> Visemes:
    return Visemes.from_pretrained(folder)
