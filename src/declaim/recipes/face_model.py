"""Recipe ``face-model``: the linear face model, fitted in closed form to the tracked points of a corpus.

    declaim train face-model --corpus CORPUS -o RUN

Figures are measured on splits that the fit does not see.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from declaim.assets import locate
from declaim.data.corpus import TRACK, ClipRecord, Corpus
from declaim.errors import ConfigError
from declaim.face.canonical import canonical_face
from declaim.face.clip import ClipTrack
from declaim.face.model import FaceModel
from declaim.face.model_fit import fit_face_model
from declaim.recipes.base import Section
from declaim.recipes.face_model_figures import Figures, figures
from declaim.types import OnStep


class FaceModelData(Section):
    """What the model is fitted to."""

    splits: tuple[str, ...] = ("train",)
    """Splits of the corpus to fit to; faces that do not speak are welcome."""
    measured: tuple[str, ...] = ("eval",)
    """Splits on which the figures are measured."""
    unusable: bool = False
    """Whether clips that are flagged as unusable for speech (silent, music) are taken too."""
    frames_per_speaker: int = Field(1500, gt=0)
    """Frames after which no further clip of a speaker is taken; the fit weighs all speakers the same in any case."""
    fewest_frames: int = Field(10, gt=0)
    """Clips with fewer frames that show a face are left out."""
    seed: int = Field(0, ge=0)
    """Decides which clips of a speaker are taken."""


class FaceModelSettings(Section):
    """All settings of the recipe."""

    data: FaceModelData = FaceModelData()
    """What the model is fitted to."""


class FaceModelFit:
    """The fit, on tracks that are read.

    Args:
        clips: records of ``tracks``.
        tracks: fitted to.
        held: measured on.
        data: settings.
    """

    def __init__(
        self, clips: Sequence[ClipRecord], tracks: Sequence[ClipTrack], held: Sequence[ClipTrack], data: FaceModelData
    ) -> None:
        self.clips = clips
        self._tracks, self._held, self._data = tracks, held, data
        self._model: FaceModel | None = None

    @property
    def model(self) -> FaceModel:
        """What was fitted."""
        if self._model is None:
            raise ConfigError("the face model has not been fitted yet; call fit first")
        return self._model

    def fit(self, on_step: OnStep | None = None) -> None:
        """Fit the model; takes a minute or two."""
        self._model = fit_face_model(self._tracks, *canonical_face(locate("face-landmarker")))
        if on_step:
            on_step(1, 1)

    def validate(self) -> Figures:
        """Figures on people whom the fit did not see."""
        return figures(self.model, self._held) if self._held else {}

    def save(self, folder: Path, card: str) -> None:
        """Write a folder for `FaceModel.from_pretrained`."""
        text = CARD.format(
            made=card,
            n_frames=sum(len(track.points) for track in self._tracks),
            n_speakers=len({track.speaker for track in self._tracks}),
            limit=self._data.frames_per_speaker,
            splits=", ".join(self._data.splits),
            measured=", ".join(self._data.measured) or "nothing",
        )
        self.model.save_pretrained(folder, text, seed=self._data.seed)


class FaceModelRecipe:
    """Registered as ``face-model``."""

    name = "face-model"
    presets: Mapping[str, FaceModelSettings] = {
        "default": FaceModelSettings(data=FaceModelData(splits=("train", "silent"), unusable=True)),
        "tiny": FaceModelSettings(data=FaceModelData(frames_per_speaker=30)),
    }

    def task(self, corpus: Corpus, settings: FaceModelSettings, on_step: OnStep | None = None) -> FaceModelFit:
        """Read the tracks.

        Raises:
            ConfigError: the corpus keeps no tracks.
        """
        data = settings.data
        chosen = choose(with_tracks(corpus, data.splits, usable=not data.unusable), data.frames_per_speaker, data.seed)
        there = {clip.split for clip in corpus.clips}
        measured = [split for split in data.measured if split in there]
        held = with_tracks(corpus, measured, usable=True) if measured else []
        read: dict[str, ClipTrack] = {}
        for i, record in enumerate([*chosen, *held]):
            read[record.name] = load_track(corpus, record)
            if on_step:
                on_step(i + 1, len(chosen) + len(held))
        learnt, kept = (
            [c for c in records if len(read[c.name].points) >= data.fewest_frames] for records in (chosen, held)
        )
        return FaceModelFit(learnt, [read[c.name] for c in learnt], [read[c.name] for c in kept], data)


RECIPE = FaceModelRecipe()


def with_tracks(corpus: Corpus, splits: Sequence[str], *, usable: bool) -> list[ClipRecord]:
    """The clips of some splits whose tracked points were kept.

    Raises:
        ConfigError: there is none.
    """
    found = [clip for clip in corpus.select(splits, usable=usable) if TRACK in clip.files]
    if not found:
        raise ConfigError(
            f"no clip of {corpus.folder} (splits {', '.join(splits)}) keeps tracked points; prepare it with pictures"
        )
    return found


def choose(clips: Sequence[ClipRecord], limit: int, seed: int) -> list[ClipRecord]:
    """Clips of every speaker until they hold ``limit`` frames, in the corpus's order; ``seed`` decides which."""
    order = sorted(clips, key=lambda clip: clip.name)
    random.Random(seed).shuffle(order)
    frames: defaultdict[str, int] = defaultdict(int)
    taken = []
    for clip in order:
        if frames[clip.speaker] < limit:
            frames[clip.speaker] += clip.frames
            taken.append(clip)
    return sorted(taken, key=lambda clip: clip.name)


def load_track(corpus: Corpus, record: ClipRecord) -> ClipTrack:
    """A clip's track without the frames that show no face."""
    track = corpus.track(record)
    return ClipTrack(track.points[track.valid], track.scores[track.valid], track.size, record.speaker)


CARD = """# face-model

Linear face model `S = S_mean + B_id a + B_exp b` over the 478 points of the MediaPipe Face Landmarker: 40 identity
components, 64 expression components, in standard deviations; centimetres in the canonical head frame (x to the viewer's
right, y up, z toward the viewer). `b = 0` is a face at rest: lips closed, eyes open, gaze ahead. Half precision.

| tensor | shape | meaning |
|---|---|---|
| mean | 478, 3 | mean face at rest |
| identity_basis | 40, 478, 3 | shape change for one standard deviation of a |
| expression_basis | 64, 478, 3 | shape change for one standard deviation of b |
| fit_weights | 478, 3 | weight of each coordinate when b is fitted (lips and eyes 3, brows 2, depth times 0.6) |
| stability | 478 | weight of each point in pose estimation (inverse variance in speech) |
| pose_corrective | 5, 478, 3 | the tracker's error at turned heads; taken off tracked shapes, not rendered |
| triangles | 898, 3 | the tracker's mesh |

## Fit

{made}
{n_frames} frames of {n_speakers} speakers, at most about {limit} frames each, every speaker with the same weight, every
face also mirrored. Splits fitted to: {splits}; figures measured on: {measured}. Head pose is taken out by weighted
Procrustes analysis onto each clip's rest shape; the rest shape is the mean of the least active tenth of the frames with
the lips brought together; what is left is regressed on head rotation (the corrective) and decomposed into weighted
principal components.

The mean face's place, scale and the triangles come from MediaPipe's canonical face (Apache-2.0). The bases are
licensed under Apache-2.0.

## What the figures mean

`explained_*`: share of the pose-free, identity-free variance in three dimensions, mean over speakers.
`arkit_*`: the blendshape network on rebuilt points against the tracker's own scores, mean over jawOpen, mouth*,
eyeBlink*, eyeLook*, brow*; `front`: own rest shape seen from the front; `own_view`: at the clip's mean head rotation;
`mean_identity`: the mean face, each speaker's offset removed. `rotation_*`: share of b's variance that head rotation
explains, and mean absolute correlation, in clips with turning heads, before and after the corrective; `chance`: with
another clip's rotation. `between_people_*`: share of b's variance that lies between people.

## Limits

Points behind the far cheek of a turned head are the tracker's guess. Teeth, tongue and ears are not part of the model.
"""
