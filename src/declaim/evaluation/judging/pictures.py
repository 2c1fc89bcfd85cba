"""Pictures judged: re-enactment from tracked motion, and frames drawn from generated motion.

    first frame of the clip -> portrait --+-- tracked motion   -> PSNR, SSIM, LMD, perceptual, CSIM, FID
                                          +-- generated motion -> CSIM, FID
                                          +-- held still, mean face: what to beat

A few frames of every clip are drawn, never a whole clip; what is kept of a clip is numbers, so memory is constant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.data.corpus import MOTION, PICTURE, ClipRecord
from declaim.errors import DeclaimError
from declaim.evaluation.figures import UNKNOWN, Figure, Record
from declaim.evaluation.judging import actors as rows
from declaim.evaluation.judging.playing import Stage
from declaim.face.layouts import FACE64
from declaim.face.tracker import FaceTracker, TrackedFace
from declaim.media import read_frames
from declaim.metrics.extractors import Appearance, MobileFaceNet, VGG16Features, aligned_face
from declaim.metrics.functional.distribution import fid
from declaim.metrics.functional.image import psnr, ssim
from declaim.metrics.functional.lip import lmd
from declaim.render.base import Anchor, AnchoredRenderer, make_renderer
from declaim.render.portrait import load_portrait
from declaim.types import Motion, OnStep, Portrait

HEAD_BOX = 0.8
"""Half side of the head's box, in heights of the face."""

Picture = UInt8[np.ndarray, "height width 3"]
Vectors = dict[str, Tensor]
"""Feature vectors of pictures by row."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture with the face that the tracker found in it, if any."""

    image: Picture
    face: TrackedFace | None

    def head(self, face: TrackedFace | None = None) -> Picture:
        """The head's box: around this picture's face, or where ``face`` is."""
        where = face or self.face
        return self.image if where is None else self.image[head_box(where)]


def head_box(face: TrackedFace) -> tuple[slice, slice]:
    """Rows and columns of the square around a head, inside the picture."""
    left, top, right, bottom = face.box
    half = HEAD_BOX * max(bottom - top, right - left)
    x, y = (left + right) / 2, (top + bottom) / 2
    return (
        slice(max(int(y - half), 0), min(int(y + half), face.size[1])),
        slice(max(int(x - half), 0), min(int(x + half), face.size[0])),
    )


def chosen_frames(n_frames: int, count: int) -> list[int]:
    """``count`` frames evenly over a clip, its first one left out."""
    return sorted({int(i) for i in np.linspace(1, n_frames - 1, count).round()})


class Gallery:
    """Draws and judges the pictures of an evaluation.

    Args:
        stage: clips, methods and finished results.
        renderer: registered name.
    """

    def __init__(self, stage: Stage, renderer: str) -> None:
        self.stage, self.name = stage, renderer
        self.renderer: AnchoredRenderer = make_renderer(renderer)

    @cached_property
    def identity(self) -> MobileFaceNet:
        """The network behind CSIM."""
        return MobileFaceNet.from_pretrained()

    @cached_property
    def features(self) -> VGG16Features:
        """The network behind FID and the perceptual distance."""
        return VGG16Features.from_pretrained()

    @property
    def side(self) -> int:
        """Side in pixels to which the head's box is brought for the networks."""
        pictures = self.stage.protocol.pictures
        return 112 if pictures is None else pictures.side

    def judge(self, on_step: OnStep | None = None) -> tuple[list[Record], dict[str, dict[str, Figure]]]:
        """Scores of all clips, and the figures of whole sets of pictures by row and measure."""
        records: list[Record] = []
        vectors: dict[str, list[Tensor]] = {}
        for done, clip in enumerate(self.stage.clips):
            scores, found = self._clip(clip)
            records += [
                Record(clip=clip.name, speaker=clip.speaker, language=clip.language or UNKNOWN, **own) for own in scores
            ]
            for name, rows_of_clip in found.items():
                vectors.setdefault(name, []).append(rows_of_clip)
            if on_step:
                on_step(done + 1, len(self.stage.clips))
        return records, _set_figures({name: torch.cat(parts) for name, parts in vectors.items()})

    # --- one clip ----------------------------------------------------------------------------------------------------

    def _clip(self, clip: ClipRecord) -> tuple[list[dict[str, Any]], Vectors]:
        store, depends = self.stage.store, self._depends(clip)
        numbers, tensors = (store.path("pictures", suffix, **depends) for suffix in (".json", ".safetensors"))
        scores, vectors = store.read_json(numbers), store.read_tensors(tensors)
        if scores is None or vectors is None:
            scores, vectors = self._draw(clip)
            store.write_tensors(tensors, vectors)
            store.write_json(numbers, scores)
        return scores, vectors

    def _depends(self, clip: ClipRecord) -> dict[str, Any]:
        pictures = self.stage.protocol.pictures
        return {
            "picture": clip.files[PICTURE].sha256,
            "motion": clip.files[MOTION].sha256,
            "methods": [(a.name, a.depends(clip)) for a in self.stage.shown],
            "seeds": self.stage.protocol.seeds,
            "renderer": self.name,
            "settings": None if pictures is None else pictures.model_dump(),
        }

    def _draw(self, clip: ClipRecord) -> tuple[list[dict[str, Any]], Vectors]:
        pictures = self.stage.protocol.pictures
        frames = chosen_frames(clip.frames, 6 if pictures is None else pictures.frames)
        first, truth_images, frames = self._truth(clip, frames)
        with FaceTracker() as tracker:
            try:
                portrait = load_portrait(first, face="largest", model=self.stage.model, tracker=tracker)
            except DeclaimError:  # too small or turned away: this clip has no picture scores
                return [], {}
            easel = _Easel(self, tracker, portrait, Seen(first, _look(tracker, first)), frames)
            easel.show_truth(truth_images)
            if not easel.truth:
                return [], {}
            easel.show_redrawn(self.stage.corpus.motion(clip))
            easel.show_still()
            easel.show_mean_face()
            for actor in self.stage.shown:
                for seed in self.stage.protocol.seeds[: 1 if pictures is None else pictures.takes]:
                    easel.show_generated(actor.rows[0].key, seed, self.stage.take(actor, clip, seed))
        return easel.scores, easel.vectors

    def _truth(self, clip: ClipRecord, frames: Sequence[int]) -> tuple[Picture, list[Picture], list[int]]:
        """The clip's first frame and the chosen ones that its video has."""
        wanted, first, found, at = set(frames), None, [], 0
        for run in read_frames(self.stage.corpus.path(clip, PICTURE)):
            for image in run.images:
                if first is None:
                    first = np.ascontiguousarray(image)
                if at in wanted:
                    found.append(np.ascontiguousarray(image))
                at += 1
        if first is None:
            raise DeclaimError(f"the video of clip {clip.name} has no frames; prepare the corpus anew")
        return first, found, list(frames)[: len(found)]

    def draw(self, portrait: Portrait, motion: Motion, anchor: Anchor) -> Iterator[Picture]:
        """Pictures of a motion."""
        for run in self.renderer.render(portrait, motion, anchor):
            for image in run.images:
                yield np.ascontiguousarray(image)


class _Easel:
    """The pictures of one clip: drawn, looked at, judged."""

    def __init__(
        self, gallery: Gallery, tracker: FaceTracker, portrait: Portrait, first: Seen, frames: Sequence[int]
    ) -> None:
        self.gallery, self.tracker, self.portrait, self.first, self.frames = gallery, tracker, portrait, first, frames
        self.scores: list[dict[str, Any]] = []
        self.vectors: Vectors = {}
        self.truth: list[Seen] = []
        self.seen_truth: Appearance

    def show_truth(self, images: Sequence[Picture]) -> None:
        """The clip's own frames; those in which no face is found are left out from here on."""
        looked = [(frame, image, _look(self.tracker, image)) for frame, image in zip(self.frames, images, strict=True)]
        self.frames = [frame for frame, _, face in looked if face is not None]
        self.truth = [Seen(image, face) for _, image, face in looked if face is not None]
        if self.truth:
            self.seen_truth = self.gallery.features.appearance(self._crops([seen.head() for seen in self.truth]))
            self.vectors["truth"] = self.seen_truth.pooled
            self._note(rows.PEOPLE, 0, {"gen_csim": self._likeness(self.truth, [self.first] * len(self.truth))})

    def show_redrawn(self, motion: Motion) -> None:
        """The portrait driven by the clip's own motion."""
        chosen = Motion(motion.values[[0, *self.frames]], motion.layout, motion.fps)
        drawn = list(self.gallery.draw(self.portrait, chosen, "first"))[1:]
        seen = [Seen(image, _look(self.tracker, image)) for image in drawn]
        scores, vectors = self._against_truth(seen)
        self._note(rows.REDRAWN, 0, scores | {"gen_csim": self._likeness(seen, [self.first] * len(seen))})
        self.vectors[f"re:{rows.REDRAWN}"] = self.vectors[f"gen:{rows.REDRAWN}"] = vectors

    def show_still(self) -> None:
        """The portrait as it is, in every frame."""
        seen = [self.first] * len(self.truth)
        scores, vectors = self._against_truth(seen)
        self._note(rows.STILL, 0, scores | {"gen_csim": self._likeness(seen[:1], seen[:1])})
        self.vectors[f"re:{rows.STILL}"] = self.vectors[f"gen:{rows.STILL}"] = vectors

    def show_mean_face(self) -> None:
        """The portrait with the mean expression, at rest."""
        rest = Motion(torch.zeros(1, FACE64.dim), FACE64)
        image = next(self.gallery.draw(self.portrait, rest, "rest"))
        seen = Seen(image, _look(self.tracker, image))
        self._note(rows.MEAN_FACE, 0, {"gen_csim": self._likeness([seen], [self.first])})
        self.vectors[f"gen:{rows.MEAN_FACE}"] = self._pooled([seen.head()]).expand(len(self.truth), -1).contiguous()

    def show_generated(self, row: str, seed: int, motion: Motion) -> None:
        """The portrait driven by a generated motion."""
        frames = [min(frame, len(motion) - 1) for frame in self.frames]
        chosen = Motion(motion.values[frames], motion.layout, motion.fps)
        seen = [Seen(i, _look(self.tracker, i)) for i in self.gallery.draw(self.portrait, chosen, "rest")]
        self._note(row, seed, {"gen_csim": self._likeness(seen, [self.first] * len(seen))})
        vectors = self._pooled([s.head() for s in seen])
        key = f"gen:{row}"
        self.vectors[key] = torch.cat([self.vectors[key], vectors]) if key in self.vectors else vectors

    def _note(self, row: str, seed: int, scores: dict[str, float | None]) -> None:
        self.scores.append({"row": row, "seed": seed, "scores": scores})

    def _against_truth(self, pictures: Sequence[Seen]) -> tuple[dict[str, float | None], Tensor]:
        """Scores of pictures that should equal the clip's frames, in the head's box of these; vectors for FID."""
        pairs = list(zip(pictures, self.truth, strict=True))
        heads = [(a.head(b.face), b.head()) for a, b in pairs]
        tracked = [(a.face.points, b.face.points) for a, b in pairs if a.face is not None and b.face is not None]
        appearance = self.gallery.features.appearance(self._crops([a for a, _ in heads]))
        scores = {
            "re_psnr": _mean([psnr(a, b) for a, b in heads]),
            "re_ssim": _mean([ssim(a, b) for a, b in heads]),
            "re_perceptual": _mean(appearance.distance(self.seen_truth).tolist()),
            "re_lmd": self._lip_distance(tracked),
            "re_csim": self._likeness([a for a, _ in pairs], [b for _, b in pairs]),
        }
        return scores, appearance.pooled

    def _lip_distance(self, tracked: Sequence[tuple[Tensor, Tensor]]) -> float | None:
        if not tracked:
            return None
        height, width = self.first.image.shape[:2]
        model = self.gallery.stage.model
        ours, theirs = (model.pose_free(torch.stack([pair[k] for pair in tracked]), (width, height))[0] for k in (0, 1))
        return float(lmd(ours, theirs))

    def _likeness(self, pictures: Sequence[Seen], others: Sequence[Seen]) -> float | None:
        """Mean CSIM over pairs in which both faces were found."""
        found = [
            (aligned_face(a.image, a.face.points), aligned_face(b.image, b.face.points))
            for a, b in zip(pictures, others, strict=True)
            if a.face is not None and b.face is not None
        ]
        if not found:
            return None
        vectors = self.gallery.identity.embed(np.stack([face for pair in found for face in pair]))
        return float((vectors[::2] * vectors[1::2]).sum(1).mean())

    def _pooled(self, heads: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Float[Tensor, "n 256"]:
        return self.gallery.features.pooled(self._crops(heads))

    def _crops(self, heads: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> UInt8[np.ndarray, "n side side 3"]:
        size = (self.gallery.side, self.gallery.side)
        small = [cv2.resize(np.ascontiguousarray(head), size, interpolation=cv2.INTER_AREA) for head in heads]
        return np.stack(small)


def _look(tracker: FaceTracker, image: Picture) -> TrackedFace | None:
    """The largest face of a picture."""
    faces = tracker.detect(image, thorough=False)
    return max(faces, key=lambda face: face.height) if faces else None


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else None


def _set_figures(vectors: dict[str, Tensor]) -> dict[str, dict[str, Figure]]:
    """FID by row and measure, with the number of pictures on either side."""
    truth = vectors.pop("truth", None)
    if truth is None or len(truth) < 4:
        return {}
    halves = Figure(fid(truth[::2], truth[1::2]), clips=len(truth) // 2)
    found: dict[str, dict[str, Figure]] = {rows.PEOPLE: {"re_fid": halves, "gen_fid": halves}}
    for name, own in vectors.items():
        prefix, _, row = name.partition(":")
        found.setdefault(row, {})[f"{prefix}_fid"] = Figure(fid(own, truth), clips=len(own))
    return found
