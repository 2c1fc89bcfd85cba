"""Recipe ``visemes``: mouths for phonemes, from aligned speech and tracked lips.

declaim train visemes --corpus CORPUS -o RUN

Clips whose words are known (GRID's file names spell them) are aligned with their sound; the rest of the corpus is left
out. Phonemes that GRID's vocabulary lacks take the mouth of their nearest relative.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from declaim.audio.phonemes import BILABIALS, Phoneme, align, frame_spans, grid_words
from declaim.data.corpus import ClipRecord, Corpus
from declaim.data.synthetic.visemes import N_EXPRESSION, PHONEMES, SILENCE, Visemes, spans
from declaim.errors import ConfigError
from declaim.face.anatomy import Anatomy
from declaim.face.model import FaceModel
from declaim.metrics.functional.lip import closures
from declaim.motion.targets import lip_scale
from declaim.recipes.base import Section, Settings
from declaim.timebase import duration_s
from declaim.train.config import TrainConfig
from declaim.train.validate import mouth_figures
from declaim.types import OnStep

RELATIVES = {
    "OY": "OW", "ZH": "SH", "SH": "CH", "CH": "JH", "JH": "S", "NG": "N", "HH": "AH", "ER": "R", "UH": "UW",
    "DH": "TH", "TH": "DH", "AA": "AO", "AO": "AA", "G": "K", "K": "G", "Y": "IY", "M": "B", "P": "B", "V": "F",
}  # fmt: skip
"""Phonemes that look alike on the lips: where one is not heard often enough, the other one's mouth is used."""

_RATE = 4.0

CARD = """# visemes

A mouth for each of 39 English phonemes and silence, with dominances for coarticulation (Cohen and Massaro 1993), in
directions of declaim's face model that move the lips. Used by `declaim synthesize`. Licence: Apache-2.0.

{made}"""


class VisemesData(Section):
    """What is learnt from."""

    splits: tuple[str, ...] = ("train",)
    """Splits of the corpus to learn from."""
    clips_per_speaker: int = Field(40, gt=0)
    """Most clips of one speaker that are used."""
    hold_out: tuple[str, ...] = ("grid-s3", "grid-s26")
    """Speakers kept for the figures."""
    fewest: int = Field(12, gt=0)
    """Phonemes heard less often take a relative's mouth."""


class VisemesSettings(Settings):
    """All settings of the recipe."""

    train: TrainConfig = TrainConfig(steps=600, batch_size=6, learning_rate=0.05, warmup=0)
    """How long and how fast to learn."""
    data: VisemesData = VisemesData()
    """What is learnt from."""
    closed_weight: float = Field(4.0, ge=0)
    """Extra weight of the opening's error where the mouth is nearly closed."""
    prior_weight: float = Field(0.01, ge=0)
    """Weight of the distance of strengths, rates and lags from usual ones: some phonemes are rare."""


@dataclass(frozen=True, eq=False)
class SpokenLips:
    """One clip: its phonemes and its lips.

    Attributes:
        speaker: who speaks.
        phonemes: back to back over the whole clip.
        lips: b along the lip directions, brought to the common amplitude.
        valid: frames in which the face was seen.
    """

    speaker: str
    phonemes: tuple[Phoneme, ...]
    lips: Float[Tensor, "frames expression"]
    valid: Bool[Tensor, " frames"]


class VisemesFit:
    """The fit, see `declaim.recipes.base.Fit`."""

    def __init__(
        self, clips: Sequence[ClipRecord], learnt: Sequence[SpokenLips], held: Sequence[SpokenLips],
        settings: VisemesSettings, anatomy: Anatomy,
    ) -> None:  # fmt: skip
        self.clips = clips
        self.visemes = Visemes()
        self._learnt, self._held, self._settings, self._anatomy = learnt, held, settings, anatomy

    def fit(self, on_step: OnStep | None = None) -> None:
        """Solve it."""
        self.visemes = fit_visemes(self._learnt, self._anatomy, self._settings, on_step)

    def validate(self) -> dict[str, float]:
        """Figures on the held-out speakers."""
        return viseme_figures(self.visemes, self._held, self._anatomy) if self._held else {}

    def save(self, folder: Path, card: str) -> None:
        """Write a folder for `Visemes.from_pretrained`."""
        self.visemes.save_pretrained(folder, CARD.format(made=card))


class VisemesRecipe:
    """See `declaim.recipes.base.Recipe`."""

    name = "visemes"
    presets: Mapping[str, VisemesSettings] = {
        "default": VisemesSettings(),
        "tiny": VisemesSettings(train=TrainConfig(steps=5, batch_size=2), data=VisemesData(clips_per_speaker=2)),
    }

    def task(self, corpus: Corpus, settings: VisemesSettings, on_step: OnStep | None = None) -> VisemesFit:
        """Align the clips whose words are known.

        Raises:
            ConfigError: there are none, or pocketsphinx is not installed.
        """
        seen: dict[str, int] = defaultdict(int)
        clips = []
        for clip in corpus.select(settings.data.splits):
            if grid_words(clip.origin or clip.source) and seen[clip.speaker] < settings.data.clips_per_speaker:
                seen[clip.speaker] += 1
                clips.append(clip)
        learnt = [clip for clip in clips if clip.speaker not in settings.data.hold_out]
        if not learnt:
            raise ConfigError(f"{corpus.folder} has no clip whose words are known; expected GRID footage among it")
        anatomy = Anatomy.of(FaceModel.from_pretrained())
        made = spoken_lips(corpus, clips, anatomy, on_step)
        held = [m for m in made if m.speaker in settings.data.hold_out]
        return VisemesFit(learnt, [m for m in made if m not in held], held, settings, anatomy)


def spoken_lips(
    corpus: Corpus, clips: Sequence[ClipRecord], anatomy: Anatomy, on_step: OnStep | None = None
) -> list[SpokenLips]:
    """Aligned clips with lips of one amplitude; those that cannot be aligned are left out."""
    aligned = []
    for i, clip in enumerate(clips):
        motion, words = corpus.motion(clip), grid_words(clip.origin or clip.source) or []
        try:
            phonemes = filled(align(corpus.speech(clip), words), duration_s(len(motion)))
        except ConfigError as error:
            if "cannot be aligned" not in str(error):
                raise
            continue
        valid = torch.ones(len(motion), dtype=torch.bool) if motion.valid is None else motion.valid
        aligned.append((clip.speaker, phonemes, motion["expression"], valid))
        if on_step:
            on_step(i + 1, len(clips))
    return scaled(aligned, anatomy)


def scaled(clips: Sequence[tuple[str, tuple[Phoneme, ...], Tensor, Tensor]], anatomy: Anatomy) -> list[SpokenLips]:
    """Clips (speaker, phonemes, b, valid) with lips of the common amplitude."""
    grouped: dict[str, list[Tensor]] = defaultdict(list)
    for speaker, _, expression, _ in clips:
        grouped[speaker].append(expression)
    spreads = [
        float(torch.cat([b @ anatomy.mouth - (b @ anatomy.mouth).mean() for b in group]).std())
        for group in grouped.values()
    ]
    scales = {s: lip_scale(group, anatomy, sum(spreads) / len(spreads)) for s, group in grouped.items()}
    basis = anatomy.lip_basis
    return [SpokenLips(s, phonemes, scales[s] * (b @ basis @ basis.T), valid) for s, phonemes, b, valid in clips]


def filled(phonemes: Sequence[Phoneme], stop_s: float) -> tuple[Phoneme, ...]:
    """Phonemes with silence in between, before and after, until ``stop_s``."""
    kept: list[Phoneme] = []
    at = 0.0
    for phoneme in phonemes:
        if phoneme.start_s > at + 1e-6:
            kept.append(Phoneme(SILENCE, "", at, phoneme.start_s))
        kept.append(phoneme)
        at = phoneme.stop_s
    return (*kept, Phoneme(SILENCE, "", at, stop_s)) if at < stop_s else tuple(kept)


def fit_visemes(
    clips: Sequence[SpokenLips], anatomy: Anatomy, settings: VisemesSettings, on_step: OnStep | None = None
) -> Visemes:
    """Visemes that follow the clips' lips best; speakers count by the root of their frames.

    The weighted mean of targets moves less than people do, so the targets are stretched in the end until the mouth's
    opening varies as much as theirs.
    """
    train, basis = settings.train, anatomy.lip_basis
    rng, visemes = np.random.default_rng(train.seed), Visemes()
    mean = torch.cat([c.lips for c in clips]).mean(0) @ basis
    with torch.no_grad():
        visemes.targets.copy_((mean @ basis.T).expand(len(PHONEMES), N_EXPRESSION))
    ids = _with_relatives(clips, settings.data.fewest)
    inputs = [(ids[spans(c.phonemes)[0]], *spans(c.phonemes)[1:], len(c.lips)) for c in clips]
    frames: dict[str, int] = defaultdict(int)
    for clip in clips:
        frames[clip.speaker] += len(clip.lips)
    share = np.array([len(c.lips) * frames[c.speaker] ** -0.5 for c in clips])
    optimizer = torch.optim.Adam(visemes.parameters(), train.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, train.steps)
    unit = anatomy.mouth / (basis.T @ anatomy.mouth).norm()
    for step in range(train.steps):
        total = torch.zeros(())
        for i in rng.choice(len(clips), train.batch_size, p=share / share.sum()):
            error = (visemes(*inputs[i]) - clips[i].lips)[clips[i].valid]
            opening = (clips[i].lips @ unit)[clips[i].valid]
            closed = opening - opening.min() < 0.25 * (opening.max() - opening.min())
            weight = 1.0 + settings.closed_weight * closed
            total = total + (error @ basis).square().sum(1).mean() + (weight * (error @ unit).square()).mean()
        total = total + settings.prior_weight * _unlikely(visemes)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if on_step:
            on_step(step + 1, train.steps)
    return _stretched(visemes, ids, clips, anatomy)


def _unlikely(visemes: Visemes) -> Float[Tensor, ""]:
    rates = (visemes.before - _RATE).square() + (visemes.after - _RATE).square()
    return (visemes.strength.square() + 0.25 * rates + visemes.lag.square()).sum()


def _with_relatives(clips: Sequence[SpokenLips], fewest: int) -> Tensor:
    """For every phoneme the one whose mouth it takes: itself, or a relative if it is too rare."""
    seen: dict[str, int] = defaultdict(int)
    for clip in clips:
        for phoneme in clip.phonemes:
            seen[phoneme.name] += 1
    chosen = []
    for name in PHONEMES:
        taken, tried = name, {name}
        while seen[taken] < fewest and RELATIVES.get(taken, taken) not in tried:
            taken = RELATIVES[taken]
            tried.add(taken)
        chosen.append(PHONEMES.index(taken if seen[taken] >= fewest else name))
    return torch.tensor(chosen)


@torch.no_grad()
def _stretched(visemes: Visemes, ids: Tensor, clips: Sequence[SpokenLips], anatomy: Anatomy) -> Visemes:
    """Relatives written out, and the targets moved away from silence until the amplitude is people's."""
    for parameter in visemes.parameters():
        parameter.copy_(parameter[ids].clone())
    made = [visemes.mouth(c.phonemes, len(c.lips)) @ anatomy.mouth for c in clips]
    ratio = sum(float(m.std()) for m in made) / sum(float((c.lips @ anatomy.mouth).std()) for c in clips)
    rest = visemes.targets[:1].clone()
    visemes.targets.copy_(rest + (visemes.targets - rest) / ratio)
    return visemes.eval()


def viseme_figures(visemes: Visemes, clips: Sequence[SpokenLips], anatomy: Anatomy) -> dict[str, float]:
    """Mouth correlation and amplitude against the truth, and the share of p, b and m with closed lips."""
    curves, closed = [], []
    for clip in clips:
        made = visemes.mouth(clip.phonemes, len(clip.lips)) @ anatomy.mouth
        curves.append((clip.speaker, made, clip.lips @ anatomy.mouth))
        closed += closures(made, frame_spans(list(clip.phonemes), len(made), BILABIALS)).tolist()
    return {**mouth_figures(curves), "closed_on_p_b_m": sum(closed) / max(len(closed), 1)}


RECIPE = VisemesRecipe()
"""The recipe, as registered."""
