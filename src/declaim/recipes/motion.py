"""What recipes of motion methods share: clips read from a corpus and brought into step, and the task of learning."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor, nn

from declaim.data.corpus import ClipRecord, Corpus, features_key
from declaim.data.sampling import BalancedSampler
from declaim.data.sync import shifted, sync_offsets
from declaim.data.tempo import motion_at_tempo
from declaim.errors import ConfigError
from declaim.face.anatomy import Anatomy
from declaim.face.layouts import N_EXPRESSION
from declaim.face.model import FaceModel
from declaim.motion.calibrate import calibrated_pose
from declaim.motion.config import MotionConfig
from declaim.motion.measure import Measured, measure
from declaim.motion.method import MotionMethod
from declaim.motion.normalizer import Normalizer
from declaim.recipes.base import Section
from declaim.train.config import TrainConfig
from declaim.train.validate import mouth_figures
from declaim.types import Motion, OnStep

HELD_OUT = (
    "grid-s3", "grid-s26", "grid-new2", "hdtf-rd-radio4", "hdtf-rd-radio18", "video-retalking-5",
    "styletalk-kristinoem", "latentsync-demo3-video", "mimictalk-trump-10s", "sadtalker-rd-radio2",
)  # fmt: skip
"""Training speakers on which choices were made: the preset ``held-out`` keeps them for validation."""


TINY = TrainConfig(steps=6, batch_size=4, warmup=2, save_every=2, validate_every=3, log_every=1)
"""A few steps, for tests."""


class MotionData(Section):
    """What is learnt from."""

    splits: tuple[str, ...] = ("train",)
    """Splits of the corpus to learn from."""
    tempos: tuple[float, ...] = (0.9, 1.12)
    """Further tempos of the training speech. They act as further speakers: on held-out training speakers outside GRID
    a regression's mouth correlation rises from .52 to .55 with them."""
    clips_per_speaker: int = Field(120, gt=0)
    """Most clips of one speaker that are used."""
    tempo_clips: int = Field(40, ge=0)
    """Most clips of one speaker that are used at the other tempos."""
    hold_out: tuple[str, ...] = ()
    """Speakers of these splits that are kept for validation."""
    takes: int = Field(2, gt=0)
    """Seeds with which every held-out clip is generated in a validation."""
    sync: Literal["ridge", "corpus", "none"] = "ridge"
    """How clips whose picture is early or late are brought into step: by a regression between them, by the sync
    expert's offsets in the corpus, or not."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip at one tempo, features and motion of the same frames, in step.

    Attributes:
        name: the clip's, with the tempo if it is another one.
        speaker: who speaks.
        features: speech features.
        motion: in the face64 layout.
        valid: False where no face was seen.
        speaking: frames that hold speech.
    """

    name: str
    speaker: str
    features: Float[Tensor, "frames features"]
    motion: Float[Tensor, "frames dim"]
    valid: Bool[Tensor, " frames"]
    speaking: Bool[Tensor, " frames"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Clips in step with their sound, and what was measured on them.

    Attributes:
        records: of the corpus that are learnt from.
        learnt: clips to learn from, their own tempos first.
        held: clips for validation.
        anatomy: measures of the face model.
        measured: units, and the learnt clips' targets.
    """

    records: Sequence[ClipRecord]
    learnt: Sequence[Clip]
    held: Sequence[Clip]
    anatomy: Anatomy
    measured: Measured

    def moving(self) -> list[Clip]:
        """The first clip of every speaker whose head is learnt from (of all, if none is), at its own tempo."""
        one_each = set(first_of_each(self.records, 1))
        pairs = zip(self.learnt, self.measured.material, strict=True)
        firsts = [(clip, bool(material.pose_mask.any())) for clip, material in pairs if clip.name in one_each]
        return [clip for clip, moves in firsts if moves] or [clip for clip, _ in firsts]


def prepare(
    corpus: Corpus, data: MotionData, config: MotionConfig, on_step: OnStep | None = None, *, personal: bool = False
) -> Prepared:
    """Read the clips, bring them into step, and measure units; ``personal`` as in `measure`.

    Raises:
        ConfigError: the corpus lacks what the settings ask for.
    """
    model = FaceModel.from_pretrained()
    learnt, held = divide(corpus, data)
    first = set(first_of_each(learnt, data.tempo_clips))
    others = [(record, tempo) for tempo in data.tempos for record in learnt if record.name in first]
    wanted = [*((record, 1.0) for record in [*learnt, *held]), *others]
    loaded = []
    for record, tempo in wanted:
        loaded.append(load_clip(corpus, record, config.encoder, tempo, config.speech_dim))
        if on_step:
            on_step(len(loaded), len(wanted))
    originals = len(learnt) + len(held)
    offsets = clip_offsets(loaded[:originals], [*learnt, *held], model, data.sync)
    ready = [in_step(c, offsets[r.name] / tempo) for c, (r, tempo) in zip(loaded, wanted, strict=True)]
    clips = ready[: len(learnt)] + ready[originals:]
    measured = measure(clips, clips[: len(learnt)], model, personal=personal)
    return Prepared(learnt, clips, ready[len(learnt) : originals], Anatomy.of(model), measured)


class MotionTask:
    """Training of a motion method on prepared clips.

    Args:
        module: the method.
        material: what it learns from.
        data: what was asked for.
        seed: of the batches.
        card: the model card's head, with ``{parameters}``, ``{encoder}`` and ``{made}``.
    """

    def __init__(
        self, module: MotionMethod[Any], material: "Prepared", data: MotionData, *, seed: int, card: str
    ) -> None:
        self.module: nn.Module = module
        self.clips = material.records
        self._material, self._data, self._card = material, data, card
        self._measured: Normalizer = module.normalizer
        self._sampler = BalancedSampler(material.measured.material, module.config.training_frames, seed=seed)

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Sequences with their masks."""
        return dict(vars(self._sampler.batch(number, rows)))

    def names(self, number: int, rows: range) -> list[str]:
        """The clips that the rows are cut from."""
        return [self._material.learnt[i].name for i in self._sampler.chosen(number, rows)]

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """The method's own losses."""
        assert isinstance(module, MotionMethod)
        return module.loss(batch["features"], batch["target"], batch["mask"], batch["pose_mask"], seeds)

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Mouth correlation and amplitude on held-out clips, averaged by speaker."""
        if not self._material.held:
            return {}
        method = copy.deepcopy(module).cpu()
        assert isinstance(method, MotionMethod)
        curves = [
            (clip.speaker, self._opening(self.take(method, clip, seed).values), self._opening(clip.motion))
            for clip in self._material.held
            for seed in range(self._data.takes)
        ]
        return mouth_figures(curves)

    def take(self, method: MotionMethod[Any], clip: Clip, seed: int) -> Motion:
        """What ``method`` makes of a clip's speech, in validation and where heads are brought to people's."""
        return method.generate_from_features([clip.features], len(clip.features), seed=seed)

    def _opening(self, motion: Float[Tensor, "frames dim"]) -> Float[Tensor, " frames"]:
        return motion[:, :N_EXPRESSION] @ self._material.anatomy.mouth

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Bring head motion to people's, and write a folder for ``--weights``."""
        assert isinstance(module, MotionMethod)
        module.normalizer = calibrated_pose(
            module, self._measured, self._material.moving(), take=lambda clip, seed: self.take(module, clip, seed)
        )
        parameters = f"{sum(p.numel() for p in module.parameters()):,}"
        module.save_pretrained(
            folder, self._card.format(parameters=parameters, encoder=module.config.encoder, made=card)
        )


def divide(corpus: Corpus, data: MotionData) -> tuple[list[ClipRecord], list[ClipRecord]]:
    """Clips to learn from and clips to validate on.

    Raises:
        ConfigError: nothing is left to learn from, or a held-out speaker is not there.
    """
    found = corpus.select(data.splits)
    absent = sorted(set(data.hold_out) - {clip.speaker for clip in found})
    if absent:
        raise ConfigError(f"data.hold_out names {', '.join(absent)}, who is not in {corpus.folder}; leave that out")
    few = first_of_each(found, data.clips_per_speaker)
    chosen = [clip for clip in found if clip.name in few]
    learnt = [clip for clip in chosen if clip.speaker not in data.hold_out]
    if not learnt:
        raise ConfigError(
            f"data.hold_out keeps every speaker of {corpus.folder} for validation; leave some to learn from"
        )
    return learnt, [clip for clip in chosen if clip.speaker in data.hold_out]


def first_of_each(clips: Sequence[ClipRecord], most: int) -> list[str]:
    """Names of at most ``most`` clips of every speaker, the first ones."""
    seen: Counter[str] = Counter()
    kept = []
    for clip in clips:
        seen[clip.speaker] += 1
        if seen[clip.speaker] <= most:
            kept.append(clip.name)
    return kept


def load_clip(corpus: Corpus, record: ClipRecord, encoder: str, tempo: float, speech_dim: int) -> Clip:
    """One clip at one tempo; frames that either the sound or the picture lacks are dropped.

    Raises:
        ConfigError: the corpus was not prepared with this encoder and tempo, its features are not ``speech_dim`` wide,
            or it is damaged.
    """
    if features_key(encoder, tempo) not in record.files:
        raise ConfigError(
            f"clip {record.name} of {corpus.folder} has no features of {encoder} at tempo {tempo:g}; prepare the "
            "corpus with them, or choose others (method.encoder, data.tempos)"
        )
    features, motion = corpus.features(record, encoder, tempo), corpus.motion(record)
    if features.shape[1] != speech_dim:
        raise ConfigError(
            f"features of {encoder} are {features.shape[1]} wide, and the setting speech_dim says {speech_dim}; "
            f"add --set method.speech_dim={features.shape[1]} (for sync-expert: network.speech_dim)"
        )
    for what, values in (("features", features), ("motion", motion.values)):
        if not bool(values.isfinite().all()):
            raise ConfigError(
                f"the {what} of clip {record.name} of {corpus.folder} hold values that are not numbers; prepare the "
                "clip anew, or mark it as not usable"
            )
    frames = min(len(features), round(len(motion) / tempo))
    assert motion.valid is not None
    marks = torch.stack([motion.valid, _fitted(corpus.speaking(record), len(motion))], 1).float()
    marks = motion_at_tempo(marks, frames, tempo) == 1.0
    name = record.name if tempo == 1.0 else f"{record.name} at tempo {tempo:g}"
    values = motion_at_tempo(motion.values, frames, tempo)
    return Clip(name, record.speaker, features[:frames], values, marks[:, 0], marks[:, 1])


def _fitted(marks: Bool[Tensor, " frames"], n_frames: int) -> Bool[Tensor, " wanted"]:
    """``marks`` of the sound over the picture's frames; silent beyond the sound's end."""
    return torch.nn.functional.pad(marks[:n_frames], (0, max(n_frames - len(marks), 0)))


def clip_offsets(clips: Sequence[Clip], records: Sequence[ClipRecord], model: FaceModel, how: str) -> dict[str, int]:
    """Frames by which each clip's picture is late, by the clip's name.

    Args:
        clips: at their own tempo.
        records: of the same clips.
        model: the face model.
        how: as in `MotionData.sync`.
    """
    if how == "ridge":
        mouth = Anatomy.of(model).mouth
        openings = [clip.motion[:, : len(mouth)] @ mouth for clip in clips]
        found = sync_offsets([clip.speaker for clip in clips], [clip.features for clip in clips], openings)
    else:
        found = [(record.quality.av_offset or 0) if how == "corpus" else 0 for record in records]
    return dict(zip((record.name for record in records), found, strict=True))


def in_step(clip: Clip, offset: float) -> Clip:
    """``clip`` with its motion moved by ``offset`` frames, so that lips and sound agree."""
    frames = round(offset)
    valid = shifted(clip.valid[:, None].float(), frames)[:, 0] == 1.0
    return Clip(clip.name, clip.speaker, clip.features, shifted(clip.motion, frames), valid, clip.speaking)
