"""Takes of corpus clips scored beside the truth, every speaker one vote: what comparisons of methods share."""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from benchmarks.report import markdown
from declaim.data.corpus import ClipRecord, Corpus
from declaim.evaluation.judging.performance import Performance, Reference
from declaim.evaluation.judging.scores import sync_scores
from declaim.face.layouts import UPPER_FACE
from declaim.face.model import FaceModel
from declaim.metrics.functional import lip, motion
from declaim.sync import SyncExpert
from declaim.timebase import FPS, duration_s

PEOPLE = "real people"
Scores = dict[str, float]


class Judge:
    """Scores takes of one clip.

    Args:
        corpus: the clip's.
        clip: the clip.
        experts: sync experts by name.
        model: the face model.
    """

    def __init__(self, corpus: Corpus, clip: ClipRecord, experts: dict[str, SyncExpert], model: FaceModel) -> None:
        self.reference, self.experts, self.model = Reference.of(corpus, clip, model), experts, model
        self.corpus, self._features = corpus, dict[str, Tensor]()

    def features(self, encoder: str) -> Float[Tensor, "frames features"]:
        """The clip's speech features."""
        if encoder not in self._features:
            self._features[encoder] = self.corpus.features(self.reference.clip, encoder)
        return self._features[encoder]

    def alone(self, take: Performance) -> Scores:
        """Scores of one take."""
        frames = min(len(take), len(self.reference))
        take, ref = take.cut(frames), self.reference.cut(frames)
        speeds = torch.rad2deg(take.turns.diff(dim=0).norm(dim=1)) * float(FPS)
        upper = take.points[:, list(UPPER_FACE)].flatten(1)
        found: dict[str, float | None] = {
            "mouth correlation": float(lip.mouth_correlation(take.opening, ref.truth.opening)),
            "mouth opening, cm": float(take.opening.std()),
            "LVE, cm": float(lip.lve(take.points, ref.truth.points)),
            "MOD, cm": float(lip.mod(take.points, ref.truth.points)),
            "LMD": float(lip.lmd(take.points, ref.truth.points)),
            "head turn, deg": math.degrees(float(motion.spread(take.turns))),
            "head speed, deg/s": float(speeds.median()),
            "upper face, cm": float(motion.spread(upper)) / len(UPPER_FACE) ** 0.5,
            "Beat Align": motion.beat_align(ref.onsets, motion.motion_beats_s(take.turns)),
        }
        for name, expert in self.experts.items():
            heard = self.features(expert.config.encoder)
            synced, _ = sync_scores(expert, heard, take, valid=take is ref.truth)
            found |= {f"LSE-C{name}": synced["lse_c"], f"LSE-D{name}": synced["lse_d"]}
        return {name: value for name, value in found.items() if value is not None}

    def takes(self, method: Any, seeds: Sequence[int], **options: Any) -> list[Scores]:
        """Scores of every take, and how far their heads are apart; ``options`` are of the method's ``generate``."""
        heard, made = self.features(method.config.encoder), []
        active, turns = self.active(len(heard)), list[Tensor]()
        for seed in seeds:
            started = time.process_time()
            values = method.generate_from_features([heard], len(heard), active=active, seed=seed, **options)
            taken = (time.process_time() - started) * 60.0 / duration_s(len(heard))
            take = Performance.of(values, self.model)
            made.append(self.alone(take) | {"processor s a minute": taken})
            turns.append(take.turns)
        if len(turns) > 1:
            made.append({"Diversity, deg": math.degrees(float(motion.diversity_over_takes(torch.stack(turns))))})
        return made

    def active(self, frames: int) -> Bool[Tensor, " frames"]:
        """Frames that hold speech, as many as asked for."""
        speaking = self.reference.speaking
        return torch.nn.functional.pad(speaking[:frames], (0, max(frames - len(speaking), 0)))


def by_speaker(scored: Iterable[tuple[str, Scores]]) -> Scores:
    """Means of speakers' means."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for speaker, scores in scored:
        for name, value in scores.items():
            found[name][speaker].append(value)
    return {name: fmean(fmean(values) for values in speakers.values()) for name, speakers in found.items()}


def judged(judges: Sequence[Judge], method: Any, seeds: Sequence[int], **options: Any) -> Scores:
    """`by_speaker` of a method's takes of all clips."""
    scored = ((j.reference.clip.speaker, s) for j in judges for s in j.takes(method, seeds, **options))
    return by_speaker(scored)


def people(judges: Sequence[Judge]) -> Scores:
    """`by_speaker` of the clips' own people."""
    return by_speaker((j.reference.clip.speaker, j.alone(j.reference.truth)) for j in judges)


def table(rows: dict[str, list[Scores]]) -> str:
    """Means over training seeds, with the lowest and the highest."""
    names = list(dict.fromkeys(name for scores in rows.values() for each in scores for name in each))
    lines = []
    for row, scores in rows.items():
        cells = []
        for name in names:
            values = [s[name] for s in scores if name in s]
            spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
            cells.append(f"{fmean(values):.3f}{spread}" if values else "-")
        lines.append((row, *cells))
    return markdown(("", *names), lines)
