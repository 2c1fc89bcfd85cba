"""Motion for every clip and seed, generated once and kept; and the scores of every row, clip by clip."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from declaim.assets import shipped
from declaim.data.corpus import ACTIVITY, MOTION, SPEECH, ClipRecord, Corpus, features_key
from declaim.evaluation.figures import UNKNOWN as UNKNOWN_LANGUAGE
from declaim.evaluation.figures import Record
from declaim.evaluation.judging import actors as rows
from declaim.evaluation.judging.actors import Actor, held_still, mean_face, weight_hashes
from declaim.evaluation.judging.performance import Performance, Reference, doubled
from declaim.evaluation.judging.scores import histograms, in_step, movement_in_gap, score, sync_scores, waiting
from declaim.evaluation.judging.store import Store
from declaim.evaluation.protocol import GAP_CLIP_FRAMES, EvaluationProtocol, others, take_seed
from declaim.face.arkit import arkit_from_motion
from declaim.face.head3d import Head3D
from declaim.face.model import FaceModel
from declaim.metrics.functional.motion import diversity_over_takes
from declaim.registry import ENCODERS, resolve
from declaim.sync import SyncExpert
from declaim.timebase import FPS, samples_in
from declaim.types import Motion, OnStep

Made = dict[str, Any]
"""What is kept of one clip: a list of records, curves and histograms for the plots, waits for their distributions."""


@dataclass(eq=False)
class Stage:
    """Everything an evaluation is played with.

    Attributes:
        corpus: the clips' folder.
        protocol: what is measured.
        clips: the protocol's clips.
        actors: methods under test.
        store: finished results.
        expert: judges sync; None where there is none.
        expert_hashes: of its weights.
    """

    corpus: Corpus
    protocol: EvaluationProtocol
    clips: list[ClipRecord]
    actors: list[Actor]
    store: Store
    expert: SyncExpert | None
    expert_hashes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def model(self) -> FaceModel:
        """The face model on whose mean person all motion is compared."""
        return FaceModel.from_pretrained()

    @property
    def shown(self) -> list[Actor]:
        """The actors that are drawn."""
        return [actor for actor in self.actors if actor.shown]

    @cached_property
    def head(self) -> Head3D:
        """The full head on which lips and upper face are compared, too."""
        return Head3D.from_pretrained()

    @cached_property
    def gap_clips(self) -> set[str]:
        """The clips that are read twice with a silence between: the first one of every speaker."""
        first: dict[str, str] = {}
        for clip in self.clips:
            first.setdefault(clip.speaker, clip.name)
        return set(first.values())

    # --- generated motion --------------------------------------------------------------------------------------------

    def generate(self, on_step: OnStep | None = None) -> None:
        """Make all motion that is not there yet."""
        takes = [(actor, clip) for actor in self.actors for clip in self.clips]
        for done, (actor, clip) in enumerate(takes):
            todo = [job for job in self._jobs(actor, clip) if not job[0].is_file()]
            if todo:
                speech = self.corpus.speech(clip)
                twice = self._doubled(clip) if any(gap for _, _, gap in todo) else None
                # All seeds of one sound together: its features are kept for the next seed.
                for path, seed, gap in sorted(todo, key=lambda job: job[2]):
                    sound = twice if gap and twice is not None else speech
                    self.store.write_motion(path, actor.generate(sound, take_seed(seed, clip), clip))
            if on_step:
                on_step(done + 1, len(takes))

    def _jobs(self, actor: Actor, clip: ClipRecord) -> Iterator[tuple[Path, int, bool]]:
        for gap in (False, True) if self._has_gap(actor, clip) else (False,):
            for seed in actor.seeds(self.protocol.seeds):
                yield self._take_path(actor, clip, seed, gap=gap), seed, gap

    def _has_gap(self, actor: Actor, clip: ClipRecord) -> bool:
        return actor.hears_silence and clip.name in self.gap_clips

    def _doubled(self, clip: ClipRecord) -> Any:
        frames = min(self._length(clip), GAP_CLIP_FRAMES)
        return doubled(self.corpus.speech(clip), frames, self._gap, samples_in(1))

    @property
    def _gap(self) -> int:
        return round(self.protocol.gap_s * float(FPS))

    def _length(self, clip: ClipRecord) -> int:
        return min(clip.frames, self.corpus.speech(clip).n_frames)

    def _take_path(self, actor: Actor, clip: ClipRecord, seed: int, *, gap: bool = False) -> Path:
        return self.store.path(
            "takes", ".safetensors", **actor.depends(clip), seed=take_seed(seed, clip),
            speech=clip.files[SPEECH].sha256, gap=self._gap if gap else 0,
        )  # fmt: skip

    def take(self, actor: Actor, clip: ClipRecord, seed: int, *, gap: bool = False) -> Motion:
        """A generated motion, made now if it is not there."""
        path = self._take_path(actor, clip, seed, gap=gap)
        found = self.store.read_motion(path)
        if found is None:
            sound = self._doubled(clip) if gap else self.corpus.speech(clip)
            found = actor.generate(sound, take_seed(seed, clip), clip)
            self.store.write_motion(path, found)
        return found

    # --- scores ------------------------------------------------------------------------------------------------------

    def scores(self, on_step: OnStep | None = None) -> list[tuple[ClipRecord, Made]]:
        """Scores of every row on every clip."""
        found = []
        for i, clip in enumerate(self.clips):
            path = self.store.path("scores", ".json", **self._depends(i))
            made = self.store.read_json(path)
            if made is None:
                made = self._judge(i)
                self.store.write_json(path, made)
            found.append((clip, made))
            if on_step:
                on_step(i + 1, len(self.clips))
        return found

    def _depends(self, i: int) -> dict[str, Any]:
        features = None if self.expert is None else self.clips[i].files.get(features_key(self.expert.config.encoder))
        used = [self.clips[j] for j in (i, *others(self.clips, i, self.protocol.shuffles))]
        return {
            "clips": [{k: f.sha256 for k, f in c.files.items() if k in (MOTION, SPEECH, ACTIVITY)} for c in used],
            "words": self.clips[i].origin,
            "names": [clip.name for clip in used],
            "methods": [(a.name, [a.depends(clip) for clip in used]) for a in self.actors],
            "head": weight_hashes(shipped("head3d")),
            "seeds": self.protocol.seeds,
            "gap": self._gap if self.clips[i].name in self.gap_clips else 0,
            "expert": self.expert_hashes,
            "features": None if features is None else features.sha256,
        }

    def _judge(self, i: int) -> Made:
        clip = self.clips[i]
        arkit = self._arkit(self.corpus.motion(clip), clip.files[MOTION].sha256)
        bench = _Bench(self, Reference.of(self.corpus, clip, self.model, arkit), self._features(clip))
        strangers = [self.clips[j] for j in others(self.clips, i, self.protocol.shuffles)]
        truth = bench.reference.truth
        bench.judge(rows.PEOPLE, 0, truth)
        for other in strangers:
            bench.judge(rows.STRANGERS, 0, self._tracked(other))
        for row, still in ((rows.MEAN_FACE, mean_face(truth.motion)), (rows.STILL, held_still(truth.motion))):
            arkit = arkit_from_motion(still.frames(0, 1), self.model).expand(len(still), -1)
            bench.judge(row, 0, Performance.of(still, self.model, arkit))
        for actor in self.actors:
            self._judge_actor(bench, actor, strangers)
        return bench.made

    def _judge_actor(self, bench: "_Bench", actor: Actor, strangers: list[ClipRecord]) -> None:
        clip, key = bench.reference.clip, actor.rows[0].key
        turns = []
        for seed in actor.seeds(self.protocol.seeds):
            take = self._played(actor, clip, seed)
            bench.judge(key, seed, take, actor.borders)
            turns.append(take.cut(len(bench.reference)).turns)
            if self._has_gap(actor, clip):
                gap = Performance.of(self.take(actor, clip, seed, gap=True), self.model)
                frames = min(self._length(clip), GAP_CLIP_FRAMES)
                bench.made["records"][-1]["scores"]["gap_movement"] = movement_in_gap(gap.opening, frames, self._gap)
            for other in strangers if len(actor.rows) > 1 else ():
                bench.judge(key + rows.OTHER_SPEECH, seed, self._played(actor, other, seed), actor.borders)
        if len(turns) > 1:
            apart = float(diversity_over_takes(torch.stack(turns))) * 57.29578
            for record in bench.made["records"]:
                if record["row"] == key:
                    record["scores"]["diversity_takes"] = apart

    def _played(self, actor: Actor, clip: ClipRecord, seed: int) -> Performance:
        """A take as a performance."""
        motion = self.take(actor, clip, seed)
        arkit = self._arkit(motion, self._take_path(actor, clip, seed).name)
        return Performance.of(motion, self.model, arkit)

    def _tracked(self, clip: ClipRecord) -> Performance:
        """A clip's own motion as a performance."""
        motion = self.corpus.motion(clip)
        return Performance.of(motion, self.model, self._arkit(motion, clip.files[MOTION].sha256))

    def _arkit(self, motion: Motion, name: str) -> Tensor:
        """The ARKit coefficients of a motion with a name of its own, computed once: it stands in several rows."""
        path = self.store.path("arkit", ".safetensors", motion=name)
        found = self.store.read_tensors(path)
        if found is None or "arkit" not in found:
            found = {"arkit": arkit_from_motion(motion, self.model)}
            self.store.write_tensors(path, found)
        return found["arkit"]

    def _features(self, clip: ClipRecord) -> Tensor | None:
        """Speech features for the sync expert."""
        if self.expert is None:
            return None
        if features_key(self.expert.config.encoder) in clip.files:
            return self.corpus.features(clip, self.expert.config.encoder)
        return self._encoder.encode(self.corpus.speech(clip))

    @cached_property
    def _encoder(self) -> Any:
        name = self.expert.config.encoder if self.expert is not None else ""
        for actor in self.actors:
            own = getattr(actor.method, "encoder", None)
            if getattr(own, "name", None) == name:
                return own
        return resolve(ENCODERS, name, kind="encoder")()


class _Bench:
    """Collects what is found about one clip."""

    def __init__(self, stage: Stage, reference: Reference, features: Tensor | None) -> None:
        self.stage, self.reference, self.features = stage, reference, features
        self.made: Made = {"records": [], "curves": {}, "histograms": {}, "waits": {}}
        self.late: float | None = None  # frames; found in the people's own row, which is judged first

    def judge(self, row: str, seed: int, take: Performance, borders: Callable[[int], list[int]] | None = None) -> None:
        """Add the scores of one take in one row."""
        scores = score(take, self.reference, borders(len(take)) if borders else [], self.stage.head)
        if self.stage.expert is not None and self.features is not None:
            known = row in (rows.PEOPLE, rows.STRANGERS)
            found, curve = sync_scores(self.stage.expert, self.features, take, valid=known)
            scores |= found
            if row == rows.PEOPLE:
                self.late = found["sync_offset"]
            scores["mouth_correlation_in_step"] = (
                1.0 if row == rows.PEOPLE else in_step(take, self.reference.truth, self.late)
            )
            if curve:
                self.made["curves"].setdefault(row, []).append(curve)
        clip = self.reference.clip
        self.made["records"].append(
            {"row": row, "clip": clip.name, "speaker": clip.speaker, "language": clip.language or UNKNOWN_LANGUAGE,
             "seed": seed, "scores": scores}
        )  # fmt: skip
        if not row.endswith(rows.OTHER_SPEECH):
            self.made["histograms"].setdefault(row, []).append(histograms(take, self.reference))
            self.made["waits"].setdefault(row, []).append(waiting(take, self.reference))


def records_of(made: list[tuple[ClipRecord, Made]]) -> list[Record]:
    """The records of all clips."""
    return [Record(**record) for _, clip in made for record in clip["records"]]
