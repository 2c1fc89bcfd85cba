"""Recipe ``diffposetalk``: denoiser and style encoder of DiffPoseTalk, learnt together.

declaim train diffposetalk --corpus CORPUS -o RUN
declaim generate me.jpg hello.wav --method diffposetalk --weights RUN/weights
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from declaim.data.corpus import Corpus
from declaim.data.sampling import cut
from declaim.face.head3d import Head3D
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.face.model import FaceModel
from declaim.methods.diffposetalk import DiffPoseTalk, DiffPoseTalkConfig, StyleConfig, default, paper, tiny
from declaim.methods.diffposetalk.method import Reference
from declaim.methods.diffposetalk.smoothness import autocorrelation
from declaim.motion.manner import Manner, manner_of
from declaim.motion.method import MotionMethod
from declaim.motion.style import LEAST_FRAMES, Style
from declaim.recipes.base import Settings
from declaim.recipes.motion import HELD_OUT, TINY, Clip, MotionData, MotionTask, Prepared, prepare
from declaim.train.config import TrainConfig
from declaim.types import Motion, OnStep

CARD = """# DiffPoseTalk

One diffusion transformer from speech and style to motion in the face64 layout, and the style encoder,
{parameters} parameters.
Speech features: {encoder}, not part of these files. Licence: Apache-2.0.

{made}"""

_REFERENCES = 1
"""Stream of random numbers that chooses references; the sampler's own has none."""


class DiffPoseTalkData(MotionData):
    """What is learnt from, and where styles come from in training."""

    style_from: Literal["other-clip", "other-window"] = "other-clip"
    """Where the style of a window comes from: from another clip of the speaker (if there is none: from the other
    window of the sequence), or always from the other window, as published."""


class DiffPoseTalkSettings(Settings):
    """All settings of the recipe."""

    method: DiffPoseTalkConfig = DiffPoseTalkConfig()
    """The networks, their losses, guidance and sampling."""
    data: DiffPoseTalkData = DiffPoseTalkData()
    """What is learnt from, and where styles come from in training."""


class DiffPoseTalkTask(MotionTask):
    """Training on pairs of windows, with the people in them, and references for their styles."""

    module: DiffPoseTalk

    def __init__(self, module: DiffPoseTalk, material: Prepared, data: DiffPoseTalkData, *, seed: int) -> None:
        super().__init__(module, material, data, seed=seed, card=CARD)
        self._seed, self._style_from = seed, data.style_from
        self._speakers = sorted({clip.speaker for clip in material.learnt})
        self._vertices = vertex_factor(FaceModel.from_pretrained(), Head3D.from_pretrained())
        self._others = _others(material.learnt)
        if module.denoiser.gaussian is not None:
            module.denoiser.gaussian.learn(self._autocorrelation())

    def _autocorrelation(self) -> Float[Tensor, "columns frames"]:
        """How smooth people's motion is; heads that are not learnt from do not count."""
        units, pose = self.module.normalizer, torch.arange(FACE64.dim) >= N_EXPRESSION
        learnt = self._material.measured.material[: len(self.clips)]
        moving = any(bool(m.pose_mask.any()) for m in learnt)
        counted = [~pose | bool(m.pose_mask.any() or not moving) for m in learnt]
        normal = [(units.normal_motion(m.target) * c, m.mask) for m, c in zip(learnt, counted, strict=True)]
        return autocorrelation(normal)

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Sequences with their masks, whose they are, and motion of other clips of theirs."""
        chosen = self._sampler.chosen(number, rows)
        people = [self._speakers.index(self._material.learnt[i].speaker) for i in chosen]
        batch = {**super().batch(number, rows), "people": torch.tensor(people)}
        if self._style_from == "other-clip":
            drawn = [self._reference(i, np.random.default_rng((self._seed, number, row, _REFERENCES)))
                     for i, row in zip(chosen, rows, strict=True)]  # fmt: skip
            batch["reference"], batch["reference_mask"] = (torch.stack(c) for c in zip(*drawn, strict=True))
        return batch

    def _reference(self, example: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Some seconds of another clip of an example's speaker; nothing if he has no other."""
        frames, others = self.module.config.style.frames, self._others[example]
        if not others:
            return torch.zeros(frames, FACE64.dim), torch.zeros(frames, dtype=torch.bool)
        material = self._material.measured.material[others[rng.integers(len(others))]]
        start = int(rng.integers(0, max(len(material.target) - frames, 0) + 1))
        target = material.mirrored if rng.random() < 0.5 else material.target
        return cut(target, start, frames), cut(material.mask, start, frames)

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """The method's own losses."""
        assert isinstance(module, DiffPoseTalk)
        reference = Reference(batch["reference"], batch["reference_mask"]) if "reference" in batch else None
        return module.loss(
            batch["features"], batch["target"], batch["mask"], batch["pose_mask"], seeds, people=batch["people"],
            reference=reference, vertices=self._vertices,
        )  # fmt: skip

    def take(self, method: MotionMethod[Any], clip: Clip, seed: int) -> Motion:
        """The clip's speech in the style of its speaker, seen in another clip of his if there is one."""
        assert isinstance(method, DiffPoseTalk)
        if method.config.style.kind == "encoder":
            clips = [c for c in [*self._material.held, *self._material.learnt] if c.speaker == clip.speaker]
            seen = next((c for c in clips if _name(c) != _name(clip)), clip)
            method = method.with_style(_style(method, seen, seen.name))
        return super().take(method, clip, seed)

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Name some styles, bring head motion to people's, and write a folder for ``--weights``."""
        assert isinstance(module, DiffPoseTalk)
        if module.config.style.kind == "encoder":
            named = named_styles(self._material, FaceModel.from_pretrained())
            licences = {record.name: record.licence for record in self.clips}
            lines = [
                f"| {name} | {clip.speaker}, {licences[clip.name]} | {why} |" for name, (clip, why) in named.items()
            ]
            card = "\n".join(
                [card, "Named styles:", "", "| style | footage | chosen for |", "|---|---|---|", *lines, ""]
            )
            module.styles = {name: _style(module, clip, name) for name, (clip, _) in named.items()}
        super().save(module, folder, card)


MANNERS: Mapping[str, tuple[str, Callable[[Manner], float]]] = {
    "calm": ("the slowest head", lambda manner: -manner.speed_deg_s),
    "lively": ("the fastest head", lambda manner: manner.speed_deg_s),
    "nodding": ("the most nods", lambda manner: manner.nods),
    "broad": ("the widest movements of the mouth", lambda manner: manner.mouth_cm),
    "reserved": ("the smallest movements of the mouth", lambda manner: -manner.mouth_cm),
}
"""Named styles: what a clip is chosen for, and by which figure."""


def named_styles(material: Prepared, model: FaceModel) -> dict[str, tuple[Clip, str]]:
    """A clip for every name of `MANNERS` and why it was chosen; clips whose licence is doubtful are left out.

    Every speaker serves once; clips of 4 s and more come first.
    """
    sure = {record.name for record in material.records if not {"uncertain", "?"} & set(_words(record.licence))}
    clips = [clip for clip in material.learnt if clip.name in sure and int(clip.valid.sum()) >= LEAST_FRAMES]
    clips = [clip for clip in clips if len(clip.motion) >= 100] or clips
    manners = {clip.name: manner_of(_motion(clip), model) for clip in clips}
    chosen: dict[str, tuple[Clip, str]] = {}
    for name, (why, figure) in MANNERS.items():
        spare = [clip for clip in clips if clip.speaker not in {taken.speaker for taken, _ in chosen.values()}]
        if spare:
            chosen[name] = max(spare, key=lambda clip: figure(manners[clip.name])), why
    return chosen


def _words(licence: str | None) -> list[str]:
    return (licence or "?").replace("?", " ? ").replace(",", " ").replace(")", " ").split()


def _motion(clip: Clip) -> Motion:
    return Motion(clip.motion, FACE64, valid=clip.valid)


def _style(method: DiffPoseTalk, clip: Clip, source: str) -> Style:
    return method.style_of(_motion(clip), source)


def vertex_factor(model: FaceModel, head: Head3D) -> Float[Tensor, "expression rows"]:
    """``|db @ factor|^2`` is the mean square of the changes of vertices, coordinate by coordinate, m^2.

    Half of it are the whole head's, as published, half the face's own points: the head follows b through 52 ARKit
    units, which leave out some of it.
    """
    points = model.expression_basis.flatten(1)
    compact = torch.linalg.svd(points / points.shape[1] ** 0.5, full_matrices=False)
    both: Tensor = torch.cat([compact.U * compact.S, head.vertex_factor("all") / 3**0.5], 1)
    return both / 2**0.5 / 100.0


def _name(clip: Clip) -> str:
    """The clip's own name, whatever the tempo."""
    return clip.name.partition(" at tempo ")[0]


def _others(clips: Sequence[Clip]) -> list[list[int]]:
    """For every clip, the other clips of its speaker; the same clip at another tempo is no other."""
    of_speaker: dict[str, list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        of_speaker[clip.speaker].append(i)
    return [[j for j in of_speaker[clip.speaker] if _name(clips[j]) != _name(clip)] for clip in clips]


def ablation(**changed: Any) -> DiffPoseTalkSettings:
    """The default settings with another origin of styles."""
    return DiffPoseTalkSettings(train=TRAIN, method=default().model_copy(update={"style": StyleConfig(**changed)}))


TRAIN = TrainConfig(steps=600, batch_size=12, warmup=60, ema=0.995)
"""Two windows a row: 600 steps see as many frames as 800 of the other methods."""


class DiffPoseTalkRecipe:
    """Registered as ``diffposetalk``."""

    name = "diffposetalk"
    presets: Mapping[str, DiffPoseTalkSettings] = {
        "default": DiffPoseTalkSettings(train=TRAIN, method=default()),
        "held-out": DiffPoseTalkSettings(
            train=TRAIN.model_copy(update={"best_by": "mouth_correlation"}),
            method=default(),
            data=DiffPoseTalkData(hold_out=HELD_OUT),
        ),
        "tiny": DiffPoseTalkSettings(
            train=TINY,
            method=tiny(),
            data=DiffPoseTalkData(tempos=(), takes=1, sync="none"),
        ),
        "one-hot": ablation(kind="one-hot"),
        "no-style": ablation(kind="none"),
        # The public code: 200,000 steps of 16 pairs, Adam, 1e-4; warm-up and averaging are ours.
        "paper": DiffPoseTalkSettings(
            train=TrainConfig(steps=200_000, batch_size=16, learning_rate=1e-4, warmup=1000, save_every=2000,
                              validate_every=10_000, weight_decay=0.0, ema=0.9999, log_every=100),
            method=paper(),
            data=DiffPoseTalkData(tempos=(), clips_per_speaker=1_000_000, style_from="other-window"),
        ),
    }  # fmt: skip

    def task(self, corpus: Corpus, settings: DiffPoseTalkSettings, on_step: OnStep | None = None) -> DiffPoseTalkTask:
        """Read the clips, measure units, and make the networks."""
        config = settings.method
        material = prepare(corpus, settings.data, config, on_step, personal=True)
        if config.style.kind == "one-hot":
            speakers = len({clip.speaker for clip in material.learnt})
            config = config.model_copy(update={"style": config.style.model_copy(update={"speakers": speakers})})
        method = DiffPoseTalk(config, material.measured.normalizer)
        return DiffPoseTalkTask(method, material, settings.data, seed=settings.train.seed)


RECIPE = DiffPoseTalkRecipe()
