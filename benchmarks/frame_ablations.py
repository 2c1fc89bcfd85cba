"""Table 2 of FD2Talk: ``python -m benchmarks.frame_ablations --corpus CORPUS --autoencoder WEIGHTS --runs RUNS``.

Trains concatenated conditions against two cross-attentions, each with and without the mesh renderer's guide, with every
seed alike, and judges them by self re-enactment on split ``eval`` as `benchmarks.redraw` does, every speaker one vote.
Runs that are in RUNS already are not trained again.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.ablations import trained
from benchmarks.judge import table
from benchmarks.redraw import Case, Eyes, case_of, drawn, judged
from benchmarks.report import provenance, run, write_report
from declaim.data.corpus import Corpus
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker
from declaim.metrics.averages import by_speaker
from declaim.recipes.motion import first_of_each
from declaim.recipes.pairs import spread
from declaim.render.latent import LatentRenderer

PRESETS = ("ablation", "ablation-concat", "ablation-no-guide", "ablation-concat-no-guide")
MEASURES = ("inside PSNR, dB", "mouth perceptual", "head PSNR, dB", "CSIM", "flicker", "processor ms a frame")


def scores(eyes: Eyes, cases: list[Case], renderer: LatentRenderer) -> dict[str, float]:
    """Means over speakers."""
    rows = []
    for case in cases:
        pictures, cpu_ms, _ = drawn(renderer, case)
        rows.append((case.clip.speaker, judged(eyes, case, pictures) | {"processor ms a frame": cpu_ms}))
    return {m: float(np.mean(list(by_speaker((s, row[m]) for s, row in rows if m in row).values()))) for m in MEASURES}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frame_ablations", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, required=True, help="weights of the recipe latent-autoencoder")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the training runs")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--frames", type=int, default=4, help="of each clip")
    parser.add_argument("--speakers", type=int, default=1000, help="most of them, spread over all")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks/frame_ablations.json"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    folders = {
        preset: [
            trained(
                "latent-renderer", chosen.corpus, chosen.runs, preset, seed=seed, steps=chosen.steps,
                others=(f"data.autoencoder={chosen.autoencoder}",),
            )
            for seed in chosen.seeds
        ]
        for preset in PRESETS
    }  # fmt: skip
    corpus, model = Corpus(chosen.corpus), FaceModel.from_pretrained()
    clips = corpus.select(("eval",))
    few = set(spread(first_of_each(clips, 1), chosen.speakers))
    with FaceTracker() as tracker:
        made = [case_of(corpus, clip, model, tracker, chosen.frames) for clip in clips if clip.name in few]
        cases, eyes = [case for case in made if case is not None and case.faces], Eyes(tracker)
        found = {
            preset: [scores(eyes, cases, LatentRenderer.from_pretrained(folder)) for folder in own]
            for preset, own in folders.items()
        }
    print(table(found))
    write_report(chosen.output, {"benchmark": "frame ablations", **provenance(), "scores": found})
    return 0


if __name__ == "__main__":
    run(main)
