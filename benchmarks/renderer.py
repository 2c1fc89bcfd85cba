"""Re-enactment, lip closure, blinks and speed of the mesh renderer: ``python -m benchmarks.renderer -o report.json``.

Re-enactment: the first frame of every eval clip is the portrait, the clip's own tracked motion drives it, and the
frames are compared with the clip. Everything stands beside the floor: the portrait held still.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.footage import DEFAULT_FOOTAGE, FootageClip, clips
from benchmarks.report import Figure, figures_as_json, figures_table, markdown, provenance, run, write_report
from declaim.face.layouts import FACE64, TRACKER_SCORES
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker, TrackedFace, track_motion
from declaim.media import read_frames, write_video
from declaim.metrics.averages import by_speaker
from declaim.metrics.extractors import MobileFaceNet
from declaim.metrics.functional.image import psnr, ssim
from declaim.metrics.functional.lip import lmd
from declaim.registry import RENDERERS, resolve
from declaim.render.geometry import lip_gap
from declaim.render.mesh import MeshRenderer
from declaim.render.portrait import load_portrait
from declaim.types import Frames, Motion, Portrait

HEAD_BOX = 0.8
"""Half side of the head crop, in heights of the face's box."""
COLUMNS = ("psnr_head", "ssim_head", "psnr_frame", "ssim_frame", "lmd", "csim")
BLINKS = [TRACKER_SCORES.index(n) for n in ("eyeBlinkLeft", "eyeBlinkRight")]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.renderer", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="JSON report")
    parser.add_argument("--footage", type=Path, default=DEFAULT_FOOTAGE)
    parser.add_argument("--per-speaker", type=int, default=1, help="clips of each speaker")
    parser.add_argument("--seconds", type=float, default=4.0, help="length taken of each clip")
    parser.add_argument("--every", type=int, default=5, help="score every n-th frame")
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--renderer", default="mesh", help="whose speed is measured")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    report: dict[str, Any] = {"provenance": provenance()}
    model, figures = FaceModel.from_pretrained(), []
    report["speed"] = speed(model, chosen.renderer)
    figures += [
        Figure("frames/s at 512x512, with H.264", report["speed"]["encoded_fps"], low=60,
               beside=f"{report['speed']['encoded_cpu_ms']:.1f} ms of CPU a frame"),
        Figure("frames/s at 512x512, pictures only", report["speed"]["render_fps"], low=100,
               beside=f"{report['speed']['render_cpu_ms']:.1f} ms of CPU a frame"),
    ]  # fmt: skip
    if not chosen.speed_only:
        wanted = clips(chosen.footage, "eval", per_speaker=chosen.per_speaker)
        report["reenactment"], summary = reenactment(wanted, model, round(chosen.seconds * 25), chosen.every)
        for name in COLUMNS:
            still, low = summary["still"][name], 0.0 if name == "lmd" else summary["still"][name]
            high = summary["still"][name] if name == "lmd" else float("inf")
            if name == "csim":  # a still of the same person keeps the identity by definition
                low = 0.85
            figures.append(Figure(f"re-enactment {name}", summary["ours"][name], low, high, f"held still {still:.4g}"))
        report["smile"] = smile(wanted, model)
        figures += [
            Figure("closed lips of a smiling portrait, face heights", report["smile"]["closed_gap"], high=0.012,
                   beside=f"in the picture {report['smile']['picture_gap']:.3f}, "
                          f"driving people {report['smile']['closed_truth_gap']:.4f}"),
            Figure("eyeBlink of rendered blinks", report["smile"]["blink_rendered"], low=0.4,
                   beside=f"driving people {report['smile']['blink_truth']:.2f}"),
        ]  # fmt: skip
    report["figures"] = figures_as_json(figures)
    print(figures_table(figures))
    if chosen.output:
        write_report(chosen.output, report)
    return 0 if all(f.met is not False for f in figures) else 1


def reenactment(
    wanted: list[FootageClip], model: FaceModel, n_frames: int, every: int
) -> tuple[list[dict[str, Any]], dict[str, dict[str, float]]]:
    rows: list[dict[str, Any]] = []
    identity = MobileFaceNet.from_pretrained()
    for clip in wanted:
        truth = take(read_frames(clip.path), n_frames)
        with FaceTracker() as tracker:
            motion = track_motion(tracker.track(first_seconds(clip, n_frames), face="largest"), model)
            portrait = load_portrait(truth[0], face="largest", model=model, tracker=tracker)
            drawn = draw(model, portrait, motion, "first")
            score = Scorer(tracker, identity, model, truth, range(every, len(truth), every))
            row = {
                "clip": clip.name,
                "speaker": clip.speaker,
                "ours": score(drawn),
                "still": score([truth[0]] * len(truth)),
            }
        rows.append(row)
        print(clip.name, *(f"{c} {row['ours'][c]:.4g} ({row['still'][c]:.4g})" for c in COLUMNS), flush=True)
    summary = {
        kind: {c: float(np.mean(list(by_speaker((r["speaker"], r[kind][c]) for r in rows).values()))) for c in COLUMNS}
        for kind in ("ours", "still")
    }
    table = [(kind, *(f"{summary[kind][c]:.4g}" for c in COLUMNS)) for kind in summary]
    print(markdown(("mean over speakers", *COLUMNS), table))
    return rows, summary


class Scorer:
    """Compares pictures with a clip's, at some of its frames."""

    def __init__(
        self, tracker: FaceTracker, identity: MobileFaceNet, model: FaceModel, truth: list[np.ndarray], at: range
    ) -> None:
        self.tracker, self.identity, self.model, self.truth = tracker, identity, model, truth
        self.faces = {i: face for i in at if (face := see(tracker, truth[i])) is not None}

    def __call__(self, pictures: list[np.ndarray]) -> dict[str, float]:
        values: dict[str, list[float]] = {c: [] for c in COLUMNS}
        shapes: list[tuple[torch.Tensor, torch.Tensor]] = []
        for i, face in self.faces.items():
            picture, truth, box = pictures[i], self.truth[i], head_box(face)
            values["psnr_head"].append(psnr(picture[box], truth[box]))
            values["ssim_head"].append(ssim(picture[box], truth[box]))
            values["psnr_frame"].append(psnr(picture, truth))
            values["ssim_frame"].append(ssim(picture, truth))
            found = see(self.tracker, picture)
            if found is not None:
                shapes.append((found.points, face.points))
                values["csim"].append(self.identity.csim(picture, found.points, truth, face.points))
        size = self.truth[0].shape[1::-1]
        ours, theirs = (
            self.model.pose_free(torch.stack([s[k] for s in shapes]), (size[0], size[1]))[0] for k in (0, 1)
        )
        values["lmd"].append(float(lmd(ours, theirs)))
        return {c: float(np.mean(v)) for c, v in values.items()}


def smile(wanted: list[FootageClip], model: FaceModel) -> dict[str, float]:
    """Closed lips and blinks of real people on the smiling demo portrait, seen by the tracker.

    Lip gaps are measured in the picture, in face heights: distances in space depend on the depth the tracker guesses.
    """
    portrait = smiling_portrait(model)
    values: dict[str, list[float]] = {"closed": [], "closed_truth": [], "open": [], "open_truth": []}
    blinks: list[tuple[float, float]] = []
    with FaceTracker() as tracker:
        for clip in wanted:
            track = tracker.track(first_seconds(clip, 150), face="largest")
            motion = track_motion(track, model)
            truth = lip_gap(track.points)
            lids = track.scores[:, BLINKS].mean(1)
            chosen = [*truth.argsort()[:3].tolist(), *truth.argsort()[-3:].tolist(), int(lids.argmax())]
            still = motion.replace(rotation=motion["rotation"] * 0, translation=motion["translation"] * 0)
            faces = [see(tracker, i) for i in draw(model, portrait, Motion(still.values[chosen], still.layout), "rest")]
            for face, frame, kind in zip(faces, chosen, ["closed"] * 3 + ["open"] * 3 + ["blink"], strict=True):
                if face is None or (kind == "closed" and truth[frame] > 0.006):
                    continue  # some people never close their lips in a short clip
                if kind != "blink":
                    values[kind].append(float(lip_gap(face.points)))
                    values[f"{kind}_truth"].append(float(truth[frame]))
                elif lids[frame] > 0.5:
                    blinks.append((float(face.scores[BLINKS].mean()), float(lids[frame])))
    rendered, people = np.mean(blinks, axis=0)
    return {
        "picture_gap": float(lip_gap(portrait.landmarks)),
        **{f"{kind}_gap": float(np.mean(v)) for kind, v in values.items()},
        "closed_gap_p90": float(np.quantile(values["closed"], 0.9)),
        "closed_frames": len(values["closed"]),
        "blinks": len(blinks),
        "blink_rendered": float(rendered),
        "blink_truth": float(people),
    }


def speed(model: FaceModel, renderer: str = "mesh", n_frames: int = 250) -> dict[str, float]:
    """Frames per second on this machine, without the start."""
    chosen = resolve(RENDERERS, renderer, kind="renderer")(model=model)
    portrait = smiling_portrait(model)
    generator = torch.Generator().manual_seed(0)
    steps = torch.randn(n_frames, 70, generator=generator).cumsum(0) / 12
    values = torch.cat([steps[:, :64], steps[:, 64:67] * 0.05, steps[:, 67:] * 0.2], 1)

    motion = Motion(values, FACE64)
    started = time.perf_counter()
    run = chosen.render(portrait, motion)
    head = next(run)
    first_run_s = time.perf_counter() - started
    clocks = time.perf_counter(), time.process_time()
    rest = sum(len(part) for part in run)
    wall, cpu = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
    with tempfile.TemporaryDirectory() as folder:
        run = chosen.render(portrait, motion)
        head = next(run)
        clocks = time.perf_counter(), time.process_time()
        write_video(Path(folder) / "speed.mp4", chain([head], run))
        encoded, encoded_cpu = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
    return {
        "first_run_s": first_run_s,
        "render_fps": rest / wall,
        "render_cpu_ms": 1000 * cpu / rest,
        "encoded_fps": n_frames / encoded,
        "encoded_cpu_ms": 1000 * encoded_cpu / n_frames,
    }


def smiling_portrait(model: FaceModel) -> Portrait:
    """The public-domain astronaut portrait, 512x512, who smiles and shows her teeth."""
    from skimage.data import astronaut

    return load_portrait(astronaut(), model=model)


def first_seconds(clip: FootageClip, n_frames: int) -> Iterator[Frames]:
    """The first frames of a clip."""
    for part in read_frames(clip.path):
        yield Frames(part.images[:n_frames], part.fps)
        n_frames -= len(part)
        if n_frames <= 0:
            return


def draw(model: FaceModel, portrait: Portrait, motion: Motion, anchor: Any) -> list[np.ndarray]:
    return [image for part in MeshRenderer(model=model).render(portrait, motion, anchor) for image in part.images]


def take(runs: Iterator[Frames], n_frames: int) -> list[np.ndarray]:
    return list(islice((np.ascontiguousarray(image) for part in runs for image in part.images), n_frames))


def see(tracker: FaceTracker, image: np.ndarray) -> TrackedFace | None:
    faces = tracker.detect(image, thorough=False)
    return max(faces, key=lambda f: f.height) if faces else None


def head_box(face: TrackedFace) -> tuple[slice, slice]:
    left, top, right, bottom = face.box
    half = HEAD_BOX * max(bottom - top, right - left)
    x, y = (left + right) / 2, (top + bottom) / 2
    low, high = (max(int(x - half), 0), max(int(y - half), 0)), (int(x + half), int(y + half))
    return slice(low[1], min(high[1], face.size[1])), slice(low[0], min(high[0], face.size[0]))


if __name__ == "__main__":
    run(main)
