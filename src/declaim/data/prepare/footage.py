r"""Footage to training data: every clip tracked and its speech encoded, once, into a folder of small files.

    clip.mkv --> face tracker --> motion (25 fps) ----> <name>_1.00.npz   features, motion, valid
             \-> sound --> encoder --> features  --/
             \-> sound played faster or slower --> <name>_0.90.npz        features, motion at that tempo

Work that is done is never done again: a clip whose files are there is skipped, files appear whole or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.data.manifest import FootageClip
from declaim.data.tempo import at_tempo, motion_at_tempo
from declaim.errors import AssetError, DeclaimError
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker, Track, track_motion
from declaim.media import read_audio, read_frames
from declaim.pretrained import atomic_file
from declaim.types import Motion, OnStep, SpeechEncoder

SEEN_SHARE = 0.8
"""Clips in which the face was seen in less than this share of the frames are left out."""


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """One clip at one tempo, features and motion of the same frames.

    Attributes:
        name: the clip's.
        speaker: who speaks.
        features: what the speech encoder made of the sound.
        motion: tracked motion in the face64 layout.
        valid: False where no face was seen.
        speed: tempo.
    """

    name: str
    speaker: str
    features: Float[Tensor, "frames features"]
    motion: Float[Tensor, "frames dim"]
    valid: Bool[Tensor, " frames"]
    speed: float = 1.0

    def __len__(self) -> int:
        return len(self.features)


def prepare(
    clips: Sequence[FootageClip],
    folder: Path,
    encoder: SpeechEncoder,
    speeds: Sequence[float] = (1.0,),
    on_step: OnStep | None = None,
) -> list[tuple[FootageClip, DeclaimError]]:
    """Track and encode ``clips`` into ``folder``.

    Args:
        clips: what to prepare.
        folder: where the files go; made if it is not there.
        encoder: speech encoder.
        speeds: tempos.
        on_step: called with (clips done, clips in all).

    Returns:
        The clips that could not be used, each with its reason.

    Raises:
        AssetError: the tracker or the encoder has not been fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = FaceModel.from_pretrained()
    refused: list[tuple[FootageClip, DeclaimError]] = []
    for i, clip in enumerate(clips):
        todo = [speed for speed in speeds if not _file(folder, clip, speed).is_file()]
        if todo:
            try:
                _prepare_clip(clip, folder, encoder, todo, model)
            except AssetError:
                raise
            except DeclaimError as error:
                refused.append((clip, error))
        if on_step:
            on_step(i + 1, len(clips))
    return refused


def _file(folder: Path, clip: FootageClip, speed: float) -> Path:
    return folder / f"{clip.name}_{speed:.2f}.npz"


def _prepare_clip(
    clip: FootageClip, folder: Path, encoder: SpeechEncoder, speeds: Sequence[float], model: FaceModel
) -> None:
    speech = read_audio(clip.path)
    with FaceTracker() as tracker:
        motion = usable_motion(tracker.track(read_frames(clip.path), face="largest"), model)
    for speed in speeds:
        features = encoder.encode(at_tempo(speech, speed))
        save_clip(_file(folder, clip, speed), clip.speaker, features, motion, speed)


def usable_motion(track: Track, model: FaceModel) -> Motion:
    """The motion of a track.

    Raises:
        DeclaimError: the face was seen too rarely.
    """
    if len(track) == 0 or float(track.valid.float().mean()) < SEEN_SHARE:
        raise DeclaimError(f"a face was seen in {len(track) - track.n_missing} of {len(track)} frames: too few")
    return track_motion(track, model)


def save_clip(
    path: Path, speaker: str, features: Float[Tensor, "frames features"], motion: Motion, speed: float
) -> None:
    """Write one prepared clip; features of frames that the video lacks are dropped."""
    n_frames = min(len(features), round(len(motion) / speed))
    valid = torch.ones(len(motion), dtype=torch.bool) if motion.valid is None else motion.valid
    resampled = motion_at_tempo(motion.values, n_frames, speed)
    seen = motion_at_tempo(valid[:, None].float(), n_frames, speed)[:, 0] == 1.0
    with atomic_file(path) as partial:
        np.savez(
            partial, features=features[:n_frames].half().numpy(), motion=resampled.numpy(), valid=seen.numpy(),
            speaker=np.array(speaker),
        )  # fmt: skip


def load_prepared(folder: Path, clips: Sequence[FootageClip], speed: float = 1.0) -> list[PreparedClip]:
    """The prepared files of ``clips`` at one tempo; clips without a file are left out."""
    loaded = []
    for clip in clips:
        path = _file(folder, clip, speed)
        if path.is_file():
            with np.load(path) as z:
                tensors = (torch.from_numpy(z[name]) for name in ("features", "motion", "valid"))
                features, motion, valid = tensors
            loaded.append(PreparedClip(clip.name, clip.speaker, features.float(), motion, valid, speed))
    return loaded
