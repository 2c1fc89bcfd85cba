"""The stages that turn one piece of a video into a clip's files; a file that is there is a stage that is done.

    track.safetensors -> motion.safetensors
    sound             -> speech.flac -> activity.safetensors, features-ENCODER-TEMPO.safetensors
    picture.mp4 (written together with the track)

Files appear whole or not at all, so nothing else has to be kept in mind between runs.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from declaim.audio.activity import speech_activity
from declaim.audio.waveform import padded_to_frames
from declaim.data.corpus import ACTIVITY, MOTION, PICTURE, SPEECH, TRACK, features_key
from declaim.data.prepare.options import PrepareOptions
from declaim.data.tempo import at_tempo
from declaim.face.model import FaceModel
from declaim.face.track import Track, track_motion
from declaim.media import read_audio, write_audio
from declaim.pretrained import atomic_file, load_tensors, save_tensors
from declaim.registry import ENCODERS, resolve
from declaim.timebase import FPS, SAMPLE_RATE, samples_in
from declaim.types import Speech, SpeechEncoder

_SUFFIX = {SPEECH: ".flac", PICTURE: ".mp4"}


@cache
def encoder_named(name: str) -> SpeechEncoder:
    """The speech encoder, one per process.

    Raises:
        ConfigError: there is none of that name.
    """
    encoder: SpeechEncoder = resolve(ENCODERS, name, kind="encoder")()
    return encoder


@cache
def face_model() -> FaceModel:
    """The face model, one per process."""
    return FaceModel.from_pretrained()


def stage_file(folder: Path, key: str) -> Path:
    """The file of a clip that ``key`` of `ClipRecord.files` names."""
    return folder / f"{key}{_SUFFIX.get(key, '.safetensors')}"


def make_motion(folder: Path) -> None:
    """``motion`` from ``track``."""

    def motion() -> Mapping[str, Tensor]:
        found = track_motion(read_track(folder), face_model())
        valid = torch.ones(len(found), dtype=torch.bool) if found.valid is None else found.valid
        return {"motion": found.values, "valid": valid}

    _tensor_stage(stage_file(folder, MOTION), motion)


def make_sound(folder: Path, sound: Callable[[], Speech], start: int, stop: int, options: PrepareOptions) -> None:
    """``speech``, ``activity`` and ``features`` of every tempo.

    Args:
        folder: the clip's.
        sound: gives the sound of the whole source; only called if it is needed.
        start: first frame of the clip.
        stop: frame after its last.
        options: encoder and tempos.
    """
    path, n_frames = stage_file(folder, SPEECH), stop - start
    if not path.is_file():
        samples = sound().samples[samples_in(start) : samples_in(stop)]
        write_audio(path, Speech(padded_to_frames(samples, n_frames), SAMPLE_RATE))
    missing = [key for key in sound_keys(options) if not stage_file(folder, key).is_file()]
    if not missing:
        return
    speech = read_audio(path)
    _tensor_stage(stage_file(folder, ACTIVITY), lambda: {"speaking": speech_activity(speech)[:n_frames]})
    for tempo in options.tempos:

        def features(tempo: float = tempo) -> Mapping[str, Tensor]:
            rows = encoder_named(options.encoder).encode(at_tempo(speech, tempo))
            return {"features": rows[: round(n_frames / tempo)].half()}

        _tensor_stage(stage_file(folder, features_key(options.encoder, tempo)), features)


def sound_keys(options: PrepareOptions) -> list[str]:
    """Keys of the files that are made from the sound."""
    return [SPEECH, ACTIVITY, *(features_key(options.encoder, tempo) for tempo in options.tempos)]


def read_track(folder: Path) -> Track:
    """What the tracker saw."""
    tensors = load_tensors(stage_file(folder, TRACK))
    width, height = tensors["size"].tolist()
    return Track(tensors["points"], tensors["scores"], tensors["valid"].bool(), (width, height), Fraction(FPS))


def _tensor_stage(path: Path, make: Callable[[], Mapping[str, Tensor]]) -> None:
    if path.is_file():
        return
    tensors = make()
    with atomic_file(path) as partial:
        save_tensors(partial, tensors)
