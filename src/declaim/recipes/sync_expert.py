"""Recipe ``sync-expert``: the network that tells whether a mouth speaks a sound.

declaim train sync-expert --corpus CORPUS -o RUN
declaim evaluate ... --sync-expert RUN/weights
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor, nn

from declaim.data.corpus import PICTURE, ClipRecord, Corpus, features_key
from declaim.data.sync import shifted
from declaim.errors import ConfigError
from declaim.face.anatomy import lip_directions
from declaim.face.layouts import N_EXPRESSION
from declaim.face.mirror import expression_mirror
from declaim.face.model import FaceModel
from declaim.recipes.base import Section, Settings
from declaim.recipes.motion import (
    HELD_OUT,
    Clip,
    MotionData,
    clip_offsets,
    divide,
    in_step,
    load_clip,
)
from declaim.recipes.sync_figures import Judged, figures
from declaim.recipes.sync_material import Material, SyncChanges, SyncSampler, read_mouths
from declaim.sync.config import SyncConfig, default, tiny
from declaim.sync.expert import SyncExpert
from declaim.sync.objective import contrastive, unlikeness
from declaim.train.config import TrainConfig
from declaim.types import OnStep

CARD = """# Sync expert

Embeds .4 s of speech, of lip motion{pictures} in one space; {parameters} parameters.
Speech features: {encoder}, not part of these files. Licence: Apache-2.0.

{made}"""


class SyncData(Section):
    """What is learnt from."""

    splits: tuple[str, ...] = ("train",)
    """Splits of the corpus to learn from."""
    tempos: tuple[float, ...] = (0.9, 1.12)
    """Further tempos of the training speech."""
    clips_per_speaker: int = Field(40, gt=0)
    """Most clips of one speaker that are used."""
    hold_out: tuple[str, ...] = ()
    """Speakers of these splits that are kept for validation."""
    frames: int = Field(50, gt=0)
    """Length of a sequence: two windows in it may lie 15 frames apart and more."""
    sync: Literal["ridge", "corpus", "none"] = "ridge"
    """How clips whose picture is early or late are brought into step: by a regression between them, by an earlier sync
    expert's offsets in the corpus, or not."""
    pictures: float = Field(0.33, ge=0, le=1)
    """Share of the sequences of which the picture head learns; 0: train no picture head."""
    motion_like: float = Field(1.0, ge=0)
    """Weight with which the picture head is drawn to the motion head's embeddings."""


class SyncSettings(Settings):
    """All settings of the recipe."""

    network: SyncConfig = SyncConfig()
    """The towers."""
    data: SyncData = SyncData()
    """What is learnt from."""
    changes: SyncChanges = SyncChanges()
    """How sequences are changed."""


class SyncTask:
    """Training of an expert.

    Args:
        module: the expert, its units measured.
        sampler: draws sequences.
        held: clips for validation: material with its speaking frames.
        settings: of the recipe.
        clips: records of the corpus that are learnt from.
    """

    def __init__(
        self,
        module: SyncExpert,
        sampler: SyncSampler,
        held: Sequence[tuple[Material, Tensor]],
        settings: SyncSettings,
        clips: Sequence[ClipRecord],
    ) -> None:
        self.module: nn.Module = module
        self.clips = clips
        self._sampler, self._held, self._settings = sampler, held, settings

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Changed sequences."""
        return self._sampler.batch(number, rows)

    def names(self, number: int, rows: range) -> list[str]:
        """The clips that the rows are cut from."""
        return [self._sampler.chosen(number, row).name for row in rows]

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """Finding the offset by motion, and by pictures; the picture head teaches the speech tower nothing."""
        assert isinstance(module, SyncExpert)
        scale = module.log_scale.exp().clamp(max=50.0)
        speech = module.speech(batch["features"])
        motion, counts = module.embed_motion(batch["values"]), batch["counts"]
        found = {"motion": contrastive(speech, motion, counts, scale).mean()}
        if "pictures" in batch:
            shows = batch["shows"]
            seen = module.embed_pictures(batch["pictures"][shows])
            heard, meant = speech[shows].detach(), motion[shows].detach()
            rows = contrastive(seen, heard, counts[shows], scale.detach())
            rows = rows + self._settings.data.motion_like * unlikeness(seen, meant, counts[shows])
            found["pictures"] = rows.sum() / (len(shows) * self._settings.data.pictures)
        return {**found, "total": torch.stack(list(found.values())).sum()}

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """`declaim.recipes.sync_figures.figures` on held-out clips, of both heads."""
        assert isinstance(module, SyncExpert)
        device = module.log_scale.device
        heads: dict[str, list[Judged]] = {"motion": [], "pictures": []}
        for clip, speaking in self._held:
            speech = module.speech(clip.features[None].to(device))[0].cpu()
            seen = {"motion": module.embed_motion(clip.values.to(device)).cpu()}
            if clip.mouths is not None:
                seen["pictures"] = module.embed_pictures(clip.mouths[clip.shown].to(device)).cpu()
            for head, embedded in seen.items():
                heads[head].append(Judged.of(clip.speaker, (speech, embedded), clip.valid, speaking))
        return {
            f"{head}_{name}": value for head, clips in heads.items() if clips for name, value in figures(clips).items()
        }

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Write a folder that ``SyncExpert.from_pretrained`` reads."""
        assert isinstance(module, SyncExpert)
        text = CARD.format(
            pictures=" and of mouth pictures" if module.config.picture_channels else "",
            parameters=f"{sum(p.numel() for p in module.parameters()):,}", encoder=module.config.encoder, made=card,
        )  # fmt: skip
        module.save_pretrained(folder, text)


class SyncRecipe:
    """Registered as ``sync-expert``."""

    name = "sync-expert"
    presets: Mapping[str, SyncSettings] = {
        "default": SyncSettings(
            train=TrainConfig(steps=1000, batch_size=16, learning_rate=1e-3, ema=0.995), network=default()
        ),
        "held-out": SyncSettings(
            train=TrainConfig(steps=1000, batch_size=16, learning_rate=1e-3, ema=0.995, best_by="motion_equal"),
            network=default(),
            data=SyncData(hold_out=HELD_OUT),
        ),
        "tiny": SyncSettings(
            train=TrainConfig(steps=6, batch_size=4, warmup=2, save_every=2, validate_every=3, log_every=1),
            network=tiny(772).model_copy(update={"encoder": "whisper-tiny.en", "picture_channels": ()}),
            data=SyncData(tempos=(), frames=30, pictures=0.0),
        ),
    }

    def task(self, corpus: Corpus, settings: SyncSettings, on_step: OnStep | None = None) -> SyncTask:
        """Read the clips, bring them into step, measure units, and make the network."""
        data, network, model = settings.data, settings.network, FaceModel.from_pretrained()
        learnt, held = divide(
            corpus, MotionData(splits=data.splits, clips_per_speaker=data.clips_per_speaker, hold_out=data.hold_out)
        )
        if not data.pictures:
            network = network.model_copy(update={"picture_channels": ()})
        wanted = _with_tempos(learnt, network.encoder, data.tempos)
        read = _Reader(corpus, network, len(wanted) + len(held), on_step)
        clips, kept = [read(*one) for one in wanted], [read(record, 1.0) for record in held]
        offsets = clip_offsets(clips[: len(learnt)], learnt, model, data.sync)
        expert = measured(network, model, clips)
        make = _Maker(corpus, expert, expression_mirror(model))
        sampler = SyncSampler(
            [make(clip, r, tempo, offsets[r.name]) for clip, (r, tempo) in zip(clips, wanted, strict=True)],
            data.frames, network.window, settings.changes, share=data.pictures,
            lip_basis=expert.lip_basis, lip_std=expert.lip_std, seed=settings.train.seed,
        )  # fmt: skip
        validation = [(make(c, r, 1.0, 0), speaking(corpus, r, len(c.valid))) for c, r in zip(kept, held, strict=True)]
        return SyncTask(expert, sampler, validation, settings, learnt)


RECIPE = SyncRecipe()


def _with_tempos(clips: Sequence[ClipRecord], encoder: str, tempos: Sequence[float]) -> list[tuple[ClipRecord, float]]:
    """The clips at their own tempo, then at those others for which the corpus has features."""
    others = [(clip, t) for t in tempos for clip in clips if features_key(encoder, t) in clip.files]
    return [*((clip, 1.0) for clip in clips), *others]


class _Reader:
    """Reads clips and tells how many are done."""

    def __init__(self, corpus: Corpus, network: SyncConfig, total: int, on_step: OnStep | None) -> None:
        self.corpus, self.network, self.total, self.on_step, self.done = corpus, network, total, on_step, 0

    def __call__(self, record: ClipRecord, tempo: float) -> Clip:
        clip = load_clip(self.corpus, record, self.network.encoder, tempo, self.network.speech_dim)
        if self.network.picture_channels and PICTURE in record.files:
            read_mouths(self.corpus, record)  # cut now, while progress is told; read again from the cache
        self.done += 1
        if self.on_step:
            self.on_step(self.done, self.total)
        return clip


def speaking(corpus: Corpus, record: ClipRecord, frames: int) -> Bool[Tensor, " frames"]:
    """Frames in which somebody speaks, as many as asked for."""
    active = corpus.speaking(record)[:frames]
    return torch.cat([active, active.new_zeros(frames - len(active))])


def measured(network: SyncConfig, model: FaceModel, clips: Sequence[Clip]) -> SyncExpert:
    """An untrained expert whose units are those of ``clips``."""
    expert = SyncExpert(network, lip_directions(model, network.lip_directions))
    features = torch.cat([clip.features[::5] for clip in clips])
    lips = torch.cat([clip.motion[:, :N_EXPRESSION] for clip in clips]) @ expert.lip_basis
    expert.speech_mean.copy_(features.mean(0))
    expert.speech_std.copy_(features.std(0).clamp(min=1e-3))
    expert.lip_mean.copy_(lips.mean(0))
    expert.lip_std.copy_(lips.std(0).clamp(min=1e-3))
    return expert


class _Maker:
    """Makes material of clips; every clip's mouth pictures are in memory once, whatever its tempos."""

    def __init__(self, corpus: Corpus, expert: SyncExpert, mirror: Float[Tensor, "expression expression"]) -> None:
        self.corpus, self.expert, self.mirror = corpus, expert, mirror
        self._mouths: dict[str, Tensor] = {}

    def __call__(self, clip: Clip, record: ClipRecord, tempo: float, late: int) -> Material:
        clip = in_step(clip, late / tempo)
        values = clip.motion[:, :N_EXPRESSION]
        features = (clip.features - self.expert.speech_mean) / self.expert.speech_std
        mouths = self._pictures(record)
        last = 0 if mouths is None else len(mouths) - 1
        shown = (torch.arange(len(values)) * tempo).round().clamp(max=last)
        shown = shifted(shown[:, None], round(late / tempo))[:, 0].long()
        return Material(clip.name, clip.speaker, features, values, values @ self.mirror, clip.valid, mouths, shown)

    def _pictures(self, record: ClipRecord) -> Tensor | None:
        if not self.expert.config.picture_channels:
            return None
        if PICTURE not in record.files:
            raise ConfigError(
                f"clip {record.name} has no pictures for the picture head; prepare the corpus with pictures, or train "
                "without that head: --set data.pictures=0"
            )
        if record.name not in self._mouths:
            self._mouths[record.name] = read_mouths(self.corpus, record)
        return self._mouths[record.name]
