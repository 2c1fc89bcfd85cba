"""Renderers where warping fails: ``python -m benchmarks.redraw --corpus CORPUS --renderer mesh --renderer mouth``.

Self re-enactment on split ``eval``: the first frame of a clip is the portrait, its own tracked motion drives it. Some
frames evenly over the clip, and the most turned ones besides, are compared with the clip's, every speaker one vote:

- head: PSNR, SSIM and perceptual distance in the square around the head, CSIM with the clip's frame;
- mouth interior: PSNR over the pixels inside the inner lips of the truth, where they are open by 4 pixels and more;
  perceptual distance in a square around the mouth;
- turned: the same in frames whose head is turned from the portrait's by more than 15 degrees;
- flicker: in a run of consecutive frames, how much the picture inside the face changes from frame to frame, relative to
  the clip's (1: as much);
- ms a frame: processor and clock, pictures alone, this machine.

``--sheet FILE`` draws pairs of renderers blindly: portrait, truth, and two renderers whose sides are drawn by lot; the
key lies beside it.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.report import markdown, provenance, run, write_report
from declaim.data.corpus import PICTURE, ClipRecord, Corpus
from declaim.errors import DeclaimError
from declaim.evaluation.judging.pictures import chosen_frames, head_box
from declaim.face.layouts import LIPS_INNER, LIPS_OUTER
from declaim.face.model import FaceModel
from declaim.face.rotations import matrix_from_axis_angle
from declaim.face.tracker import FaceTracker, TrackedFace
from declaim.media import read_frames
from declaim.media.image_io import write_image
from declaim.metrics.averages import by_speaker
from declaim.metrics.extractors import MobileFaceNet, VGG16Features
from declaim.metrics.functional.image import psnr, ssim
from declaim.recipes.motion import first_of_each
from declaim.registry import RENDERERS
from declaim.render.base import make_renderer
from declaim.render.portrait import load_portrait
from declaim.timebase import FPS
from declaim.types import Motion, Portrait

TURNED_DEG = 15.0
OPEN_PX = 4.0
"""Height of the inner lips from which there is an inside to be seen."""
LARGE_PX = 384
"""Side of the head's square from which a clip counts as larger than the corpus's pictures."""
RUN = 12
"""Consecutive frames in which flicker is measured."""
STILL = "held still"
Picture = np.ndarray


@dataclass(frozen=True, eq=False)
class Case:
    """One clip: the portrait, what drives it, the truth at some frames, and where its mouth is.

    Attributes:
        clip: the record.
        portrait: its first frame.
        motion: the portrait's frame, and then the judged ones.
        truth: the judged frames.
        faces: found in them.
        turned_deg: turn of the head from the portrait's.
        single: how many of the frames are judged one by one; the rest is a run of consecutive ones.
    """

    clip: ClipRecord
    portrait: Portrait
    motion: Motion
    truth: list[Picture]
    faces: list[TrackedFace]
    turned_deg: list[float]
    single: int


def pictures_of(corpus: Corpus, clip: ClipRecord, footage: Path | None) -> list[Picture]:
    """A clip's frames as the corpus keeps them; with the footage, cut out of it at its own size."""
    if footage is None:
        return [
            np.ascontiguousarray(image) for part in read_frames(corpus.path(clip, PICTURE)) for image in part.images
        ]
    assert clip.crop_box is not None
    left, top, side = (round(v) for v in clip.crop_box)
    start = round(clip.start_s * float(FPS))
    images = [image for part in read_frames(footage / clip.source) for image in part.images][start:]
    padded = [cv2.copyMakeBorder(i, side, side, side, side, cv2.BORDER_REPLICATE) for i in images[: clip.frames]]
    y, x = top + side, left + side
    return [np.ascontiguousarray(image[y : y + side, x : x + side]) for image in padded]


def case_of(
    corpus: Corpus, clip: ClipRecord, model: FaceModel, tracker: FaceTracker, count: int, footage: Path | None = None
) -> Case | None:
    """A clip made ready; None where its first frame cannot serve as a portrait."""
    images = pictures_of(corpus, clip, footage)
    motion = corpus.motion(clip)
    turns = matrix_from_axis_angle(motion["rotation"].double())
    angle = torch.rad2deg(((turns @ turns[0].mT).diagonal(dim1=1, dim2=2).sum(1) / 2 - 0.5).clamp(-1, 1).acos())
    n = min(len(images), len(motion))
    turned = [int(i) for i in angle[:n].argsort(descending=True)[: count * 4 : 4] if angle[i] > TURNED_DEG]
    single = sorted({*chosen_frames(n, count), *turned})
    middle = max(min(n // 2, n - RUN), 1)
    try:
        portrait = load_portrait(images[0], face="largest", model=model, tracker=tracker)
    except DeclaimError:
        return None
    found = [(i, tracker.detect(images[i], thorough=False)) for i in single]
    seen = [(i, max(faces, key=lambda face: face.height)) for i, faces in found if faces]
    frames = [i for i, _ in seen] + list(range(middle, min(middle + RUN, n)))
    values = motion.values[[0, *frames]]
    return Case(
        clip, portrait, Motion(values, motion.layout, motion.fps), [images[i] for i in frames],
        [face for _, face in seen], [float(angle[i]) for i in frames], len(seen),
    )  # fmt: skip


def drawn(renderer: Any, case: Case) -> tuple[list[Picture], float, float]:
    """Pictures of the judged frames, and milliseconds a frame (processor, clock) after a first run."""
    if renderer is None:
        return [case.portrait.image] * len(case.truth), 0.0, 0.0
    runs = renderer.render(case.portrait, case.motion, "first")
    cpu, wall = time.process_time(), time.perf_counter()
    pictures = [np.ascontiguousarray(image) for part in runs for image in part.images][1:]
    taken = 1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall)
    return pictures, taken[0] / len(case.motion), taken[1] / len(case.motion)


def inside(face: TrackedFace, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels inside the inner lips; nothing where they are shut."""
    points = face.points[list(LIPS_INNER), :2].numpy()
    mask = np.zeros(shape[:2], np.uint8)
    if np.ptp(points[:, 1]) >= OPEN_PX:
        cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
    return mask.astype(bool)


def around_mouth(face: TrackedFace, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The square around the mouth, half as wide again as the lips."""
    points = face.points[list(LIPS_OUTER), :2].numpy()
    x, y = points.mean(0)
    half = 0.75 * float(np.ptp(points, axis=0).max())
    return slice(max(int(y - half), 0), min(int(y + half), shape[0])), slice(
        max(int(x - half), 0), min(int(x + half), shape[1])
    )


class Eyes:
    """What looks at pictures: the tracker and two networks."""

    def __init__(self, tracker: FaceTracker) -> None:
        self.tracker = tracker
        self.features, self.identity = VGG16Features.from_pretrained(), MobileFaceNet.from_pretrained()

    def perceptual(self, picture: Picture, truth: Picture, side: int) -> float:
        both = [
            cv2.resize(np.ascontiguousarray(p), (side, side), interpolation=cv2.INTER_CUBIC) for p in (picture, truth)
        ]
        return self.features.distance(*both)

    def scores(self, picture: Picture, truth: Picture, face: TrackedFace) -> dict[str, float]:
        """One frame beside the truth."""
        box, mouth, hole = head_box(face), around_mouth(face, truth.shape), inside(face, truth.shape)
        found = {
            "head PSNR, dB": psnr(picture[box], truth[box]),
            "head SSIM": ssim(picture[box], truth[box]),
            "head perceptual": self.perceptual(picture[box], truth[box], 112),
            "mouth perceptual": self.perceptual(picture[mouth], truth[mouth], 64),
        }
        if hole.any():
            found["inside PSNR, dB"] = psnr(picture[hole], truth[hole])
        faces = self.tracker.detect(picture, thorough=False)
        if faces:
            own = max(faces, key=lambda each: each.height)
            found["CSIM"] = self.identity.csim(picture, own.points, truth, face.points)
        return found


def flicker(pictures: Sequence[Picture], truth: Sequence[Picture], face: TrackedFace) -> float:
    """Mean change from frame to frame inside the face's box, relative to the truth's."""
    left, top, right, bottom = (int(max(v, 0)) for v in face.box)
    stacks = [np.stack(p)[:, top:bottom, left:right].astype(np.float32) for p in (pictures, truth)]
    own, real = (float(np.abs(np.diff(stack, axis=0)).mean()) for stack in stacks)
    return own / max(real, 1e-6)


def judged(eyes: Eyes, case: Case, pictures: list[Picture]) -> dict[str, float]:
    """Means over a clip's frames, those of turned heads apart as well."""
    sums: dict[str, list[float]] = {}
    for i, face in enumerate(case.faces):
        for name, value in eyes.scores(pictures[i], case.truth[i], face).items():
            sums.setdefault(name, []).append(value)
            if case.turned_deg[i] > TURNED_DEG:
                sums.setdefault(f"turned: {name}", []).append(value)
    if case.faces and len(pictures) - case.single > 2:
        sums["flicker"] = [flicker(pictures[case.single :], case.truth[case.single :], case.faces[-1])]
    return {name: float(np.mean(values)) for name, values in sums.items()}


def sheet(path: Path, rows: Sequence[tuple[Case, int, dict[str, Picture]]], names: tuple[str, str], side: int) -> None:
    """Portrait, truth and two renderers' pictures, sides by lot; the key as JSON beside it."""
    rng, lines, key = np.random.default_rng(0), [], []
    for case, frame, pictures in rows:
        order = names if rng.random() < 0.5 else names[::-1]
        shown = [case.portrait.image, case.truth[frame], *(pictures[name] for name in order)]
        lines.append(np.hstack([cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in shown]))
        key.append({"clip": case.clip.name, "left": order[0], "right": order[1]})
    write_image(path, np.vstack(lines))
    path.with_suffix(".json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redraw", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--split", default="eval")
    parser.add_argument("--renderer", action="append", help="NAME or NAME=FOLDER; all but keypoints if left out")
    parser.add_argument("--clips", type=int, default=2, help="of each speaker")
    parser.add_argument("--frames", type=int, default=6, help="of each clip, and as many turned ones")
    parser.add_argument(
        "--footage",
        type=Path,
        help="folder that the corpus was prepared from: clips whose heads are larger than the "
        "corpus's pictures, at their own size",
    )
    parser.add_argument("--sheet", type=Path, help="PNG file; the last two renderers are shown")
    parser.add_argument("--speakers", type=int, default=1000, help="most of them")
    parser.add_argument("--sheet-rows", type=int, default=8)
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks/redraw.json"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus, model = Corpus(chosen.corpus), FaceModel.from_pretrained()
    names = chosen.renderer or [name for name in RENDERERS if name != "keypoints"]
    renderers: dict[str, Any] = {STILL: None}
    for name in names:
        renderers[name] = make_renderer(name)
    clips = corpus.select((chosen.split,))
    if chosen.footage:
        clips = [clip for clip in clips if clip.crop_box is not None and clip.crop_box[2] >= LARGE_PX]
    wanted = sorted({clip.speaker for clip in clips})[: chosen.speakers]
    few = set(first_of_each([clip for clip in clips if clip.speaker in wanted], chosen.clips))
    scored: dict[str, list[tuple[str, dict[str, float]]]] = {name: [] for name in renderers}
    shown: list[tuple[Case, int, dict[str, Picture]]] = []
    with FaceTracker() as tracker:
        eyes = Eyes(tracker)
        for clip in clips:
            case = case_of(corpus, clip, model, tracker, chosen.frames, chosen.footage) if clip.name in few else None
            if case is None or not case.faces:
                continue
            pictures = {}
            for name, renderer in renderers.items():
                pictures[name], cpu_ms, wall_ms = drawn(renderer, case)
                times = {} if renderer is None else {"processor ms a frame": cpu_ms, "clock ms a frame": wall_ms}
                scored[name].append((clip.speaker, judged(eyes, case, pictures[name]) | times))
            speakers = {case.clip.speaker for case, *_ in shown}
            if chosen.sheet and len(shown) < chosen.sheet_rows and clip.speaker not in speakers:
                widest = int(np.argmax([np.ptp(f.points[list(LIPS_INNER), 1].numpy()) for f in case.faces]))
                shown.append((case, widest, {name: own[widest] for name, own in pictures.items()}))
            print(clip.name, flush=True)
    measures = list(dict.fromkeys(m for rows in scored.values() for _, row in rows for m in row))
    means = {
        name: {
            m: float(np.mean(list(by_speaker((s, row[m]) for s, row in rows if m in row).values())))
            for m in measures if any(m in row for _, row in rows)
        }
        for name, rows in scored.items()
    }  # fmt: skip
    table = [(m, *(f"{own[m]:.3f}" if m in own else "-" for own in means.values())) for m in measures]
    counts = {m: len({s for s, row in scored[STILL] if m in row}) for m in measures}
    print(markdown(("mean over speakers", *means, "speakers"), [(*row, counts[row[0]] or "") for row in table]))
    if chosen.sheet and shown and len(names) > 1:
        sheet(chosen.sheet, shown, (names[-2], names[-1]), 192)
    write_report(chosen.output, {"benchmark": "redraw", **provenance(), "means": means, "clips": scored})
    return 0


if __name__ == "__main__":
    run(main)
