"""The latent renderer from inside: ``python -m benchmarks.latents --corpus CORPUS --curve``.

- Reconstruction: pictures of eval speakers through the autoencoder, the clip's first frame as reference; PSNR and SSIM,
  every speaker one vote.
- ``--curve``: the mesh renderer's frames redrawn with other starts and numbers of steps: PSNR in the mouth, time.
- ``--speed``: milliseconds of a core a frame at other sizes of the portrait, batches and precisions, beside the mesh
  renderer's; the process's peak memory.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.redraw import Case, case_of, drawn, inside
from benchmarks.report import markdown, provenance, run, write_report
from declaim.assets import shipped
from declaim.data.corpus import PICTURE, Corpus
from declaim.evaluation.judging.pictures import chosen_frames
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker
from declaim.media import read_frames
from declaim.media.image_io import read_image
from declaim.metrics.averages import by_speaker
from declaim.metrics.functional.image import psnr, ssim
from declaim.recipes.motion import first_of_each
from declaim.render.cutout import HeadSquare
from declaim.render.latent import LatentNetworks, LatentRenderer, LatentRendererConfig
from declaim.render.latent.autoencoder import Autoencoder, from_bytes, to_bytes
from declaim.render.latent.networks import load_autoencoder
from declaim.render.mesh import MeshRenderer
from declaim.render.portrait import load_portrait
from declaim.types import Motion

CURVE = ((60, 1), (125, 1), (250, 1), (250, 2), (250, 4), (400, 2), (400, 4), (600, 8))
"""Starts and steps that are compared."""


@torch.inference_mode()
def reconstruction(corpus: Corpus, autoencoder: Autoencoder, clips: int, frames: int) -> dict[str, dict[str, float]]:
    """PSNR and SSIM by speaker."""
    chosen = corpus.select(("eval",))
    few = set(first_of_each(chosen, clips))
    rows: list[tuple[str, float, float]] = []
    for clip in (c for c in chosen if c.name in few):
        images = [image for part in read_frames(corpus.path(clip, PICTURE)) for image in part.images]
        first, *_ = autoencoder.encode(_batch(images[:1])).mean[None]
        for frame in chosen_frames(len(images), frames):
            truth = np.ascontiguousarray(images[frame])
            decoded = to_bytes(autoencoder.decode(first, autoencoder.encode(_batch([truth])).mean))[0].numpy()
            rows.append((clip.speaker, psnr(decoded, truth), ssim(decoded, truth)))
    return {
        "PSNR, dB": by_speaker((s, p) for s, p, _ in rows),
        "SSIM": by_speaker((s, value) for s, _, value in rows),
    }


def _batch(images: list[np.ndarray]) -> torch.Tensor:
    return from_bytes(torch.from_numpy(np.stack([np.ascontiguousarray(i) for i in images])))


def cases(corpus: Corpus, speakers: int) -> Iterator[Case]:
    """One clip of some eval speakers."""
    model, clips = FaceModel.from_pretrained(), corpus.select(("eval",))
    few = set(first_of_each(clips, 1))
    with FaceTracker() as tracker:
        for clip in [c for c in clips if c.name in few][:speakers]:
            if (case := case_of(corpus, clip, model, tracker, 4)) is not None and case.faces:
                yield case


def curve(corpus: Corpus, networks: LatentNetworks, speakers: int) -> list[tuple[object, ...]]:
    """Start, steps, PSNR inside the lips and around the mouth, milliseconds of a core a frame."""
    ready, rows = list(cases(corpus, speakers)), []
    for start, steps in CURVE:
        renderer = LatentRenderer(LatentRendererConfig(start=start, sampling_steps=steps), networks=networks)
        found: dict[str, list[float]] = {"inside": [], "mouth": []}
        cpu, frames = time.process_time(), 0
        for case in ready:
            pictures, _, _ = drawn(renderer, case)
            frames += len(case.motion)
            for picture, truth, face in zip(pictures, case.truth, case.faces, strict=False):
                hole = inside(face, truth.shape)
                near = cv2.dilate(hole.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)
                if hole.any():
                    found["inside"].append(psnr(picture[hole], truth[hole]))
                    found["mouth"].append(psnr(picture[near], truth[near]))
        ms = 1000 * (time.process_time() - cpu) / max(frames, 1)
        rows.append((start, steps, *(f"{float(np.mean(v)):.2f}" for v in found.values()), f"{ms:.0f}"))
        print(*rows[-1], flush=True)
    return rows


def speed(networks: LatentNetworks, frames: int = 24) -> list[tuple[object, ...]]:
    """Size of the head's square, batch, precision; milliseconds of a core a frame, and the mesh renderer's."""
    photograph, rows = read_image(shipped("demo-portrait") / "portrait.png"), []
    whole = load_portrait(photograph)
    head = HeadSquare.of(whole.landmarks, (photograph.shape[1], photograph.shape[0]))
    generator = torch.Generator().manual_seed(0)
    values = torch.zeros(frames, FACE64.dim)
    values[:, :8] = torch.randn(frames, 8, generator=generator)
    motion = Motion(values, FACE64)
    for size, batch, precision in (
        (256, 1, "float32"), (512, 1, "float32"), (1024, 1, "float32"), (512, 4, "float32"), (512, 8, "float32"),
        (512, 1, "bfloat16"), (512, 8, "bfloat16"),
    ):  # fmt: skip
        portrait = load_portrait(head.cut(photograph[None], size)[0])
        config = LatentRendererConfig.model_validate({"batch": batch, "precision": precision})
        taken = []
        for renderer in (LatentRenderer(config, networks=networks), MeshRenderer()):
            list(renderer.render(portrait, motion))
            begun = time.process_time()
            list(renderer.render(portrait, motion))
            taken.append(1000 * (time.process_time() - begun) / frames)
        rows.append((size, batch, precision, *(f"{ms:.0f}" for ms in taken)))
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latents", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, help="an autoencoder's folder alone; no curve then")
    parser.add_argument("--weights", type=Path, help="a latent renderer's folder; the shipped one if left out")
    parser.add_argument("--clips", type=int, default=2, help="of each speaker")
    parser.add_argument("--frames", type=int, default=4, help="of each clip")
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--speakers", type=int, default=8, help="for the curve")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks/latents.json"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus = Corpus(chosen.corpus)
    networks = None if chosen.autoencoder else LatentNetworks.from_pretrained(chosen.weights).eval()
    autoencoder = load_autoencoder(chosen.autoencoder).eval() if networks is None else networks.autoencoder
    found = reconstruction(corpus, autoencoder, chosen.clips, chosen.frames)
    rows = [(name, f"{np.mean(list(v.values())):.3f}", f"{min(v.values()):.3f}", len(v)) for name, v in found.items()]
    print(markdown(("reconstruction of unseen speakers", "mean", "worst speaker", "speakers"), rows))
    report = {"benchmark": "latents", **provenance(), "reconstruction": found}
    if chosen.curve and networks is not None:
        header = ("start", "steps", "inside the lips, dB", "mouth, dB", "processor ms a frame")
        report["curve"] = curve(corpus, networks, chosen.speakers)
        print(markdown(header, report["curve"]))
    if chosen.speed and networks is not None:
        header = ("head's square, px", "frames at once", "precision", "processor ms a frame", "mesh renderer")
        report["speed"] = speed(networks)
        print(markdown(header, report["speed"]))
        report["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory {report['peak_mib']:.0f} MiB")
    write_report(chosen.output, report)
    return 0


if __name__ == "__main__":
    run(main)
