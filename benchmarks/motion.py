"""How well generated motion matches people: ``python -m benchmarks.motion --seeds 0 1 2 -o report.json``.

Every clip of the split is tracked (the truth; cached), and its sound given to the method, once per seed. Written are
report.json with every clip's numbers and report.png with curves; printed is the table. Definitions: docs/metrics.md.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.footage import DEFAULT_FOOTAGE, FootageClip, clips
from benchmarks.motion_scores import GAP_S, Performance, Reference, against_truth, alone, movement_in_gap
from benchmarks.motion_summary import speaker_table, summary
from benchmarks.report import figures_as_json, figures_table, provenance, write_report
from declaim.assets import shipped
from declaim.face.model import FaceModel
from declaim.face.tracker import track_motion
from declaim.metrics.functional.motion import diversity_over_takes
from declaim.registry import METHODS, resolve
from declaim.timebase import FPS, samples_in
from declaim.types import Motion, Speech

SHUFFLES = 3
"""Other speakers' clips whose sound stands in for a clip's own one in the floor."""

Generate = Callable[[Speech, int], Motion]


def measure(wanted: list[FootageClip], generate: Generate, seeds: list[int]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Scores of every clip, and what a plot needs: (reference, takes)."""
    model = FaceModel.from_pretrained()
    references, takes = [], []
    for i, clip in enumerate(wanted):
        truth = track_motion(clip.track(), model)
        reference = Reference.of(clip.name, clip.speaker, clip.source, clip.speech(), truth, model)
        references.append(reference)
        frames = len(reference.truth)
        takes.append([Performance.of(generate(reference.speech, seed), model).cut(frames) for seed in seeds])
        _progress(f"clip {i + 1} of {len(wanted)}: {clip.name}")
    rows = [_row(i, references, takes) for i in range(len(references))]
    _add_gaps(rows, references, generate, seeds, model)
    return rows, list(zip(references, takes, strict=True))


def _row(i: int, references: list[Reference], takes: list[list[Performance]]) -> dict[str, Any]:
    reference = references[i]
    others = _others(i, references)
    return {
        "clip": reference.name,
        "speaker": reference.speaker,
        "truth": alone(reference.truth, reference),
        "takes": [alone(t, reference) | against_truth(t, reference.truth) for t in takes[i]],
        "shuffled": [_stranger(takes[j][0], reference) for j in others],
        "truth_shuffled": [against_truth(references[j].truth, reference.truth)["mouth_correlation"] for j in others],
        "diversity_deg": None
        if len(takes[i]) < 2
        else float(diversity_over_takes(torch.stack([t.turns for t in takes[i]]))) * 57.29578,
    }


def _stranger(take: Performance, reference: Reference) -> dict[str, Any]:
    """A take made from another clip's sound, judged by this clip: the floor."""
    frames = min(len(take), len(reference.truth))
    inside = [(a, b) for a, b in reference.spans or [] if b <= frames]
    closed = alone(take.cut(frames), _only(reference, frames, inside))["closed"] if inside else None
    return {
        "mouth_correlation": against_truth(take, reference.truth)["mouth_correlation"],
        "closed": closed,
    }


def _only(reference: Reference, frames: int, spans: list[tuple[int, int]]) -> Reference:
    return Reference(
        reference.name,
        reference.speaker,
        reference.speech,
        reference.truth.cut(frames),
        reference.speaking[:frames],
        spans,
    )


def _others(i: int, references: list[Reference]) -> list[int]:
    """Indices of clips of other speakers, chosen the same way every time."""
    strangers = [j for j, r in enumerate(references) if r.speaker != references[i].speaker]
    if not strangers:
        return []
    picks = np.random.default_rng(i).permutation(len(strangers))[:SHUFFLES]
    return [strangers[p] for p in picks]


def _add_gaps(
    rows: list[dict[str, Any]], references: list[Reference], generate: Generate, seeds: list[int], model: FaceModel
) -> None:
    """For one clip of every speaker: twice its sound with two seconds of digital silence between."""
    seen: set[str] = set()
    for row, reference in zip(rows, references, strict=True):
        if reference.speaker in seen:
            continue
        seen.add(reference.speaker)
        frames = min(len(reference.truth), 250)
        samples = torch.nn.functional.pad(reference.speech.samples, (0, samples_in(1)))[: samples_in(frames)]
        gap = round(GAP_S * float(FPS))
        sound = Speech(torch.cat([samples, torch.zeros(samples_in(gap)), samples]), reference.speech.sample_rate)
        takes = [Performance.of(generate(sound, seed), model) for seed in seeds]
        row["gap_movement"] = [movement_in_gap(t.opening, frames, gap) for t in takes]
        _progress(f"silence inserted: {reference.name}")


def plot(path: Path, pairs: list[tuple[Reference, list[Performance]]]) -> None:
    """Mouth opening and head yaw of one clip per speaker, truth in black, takes in colour; p, b, m shaded."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    first: dict[str, tuple[Reference, list[Performance]]] = {}
    for reference, takes in pairs:
        first.setdefault(reference.speaker, (reference, takes))
    figure, axes = plt.subplots(len(first), 2, figsize=(18, 2.2 * len(first)), squeeze=False)
    for (mouth, head), (reference, takes) in zip(axes, first.values(), strict=True):
        time_s = np.arange(len(reference.truth)) / 25
        mouth.fill_between(time_s, -0.3, -0.1, where=reference.speaking.numpy(), step="post", color="0.7")
        for a, b in reference.spans or []:
            mouth.axvspan(a / 25, b / 25, color="red", alpha=0.15)
        for k, take in enumerate([reference.truth, *takes]):
            style: dict[str, Any] = {"color": "black" if k == 0 else f"C{k}", "lw": 1.4 if k == 0 else 0.8}
            mouth.plot(time_s[: len(take)], take.opening.numpy()[: len(time_s)], **style)
            head.plot(time_s[: len(take)], np.degrees(take.turns[:, 1].numpy())[: len(time_s)], **style)
        mouth.set_title(f"{reference.name}: mouth opening, cm (black: truth; red: p b m; grey: speech)", fontsize=8)
        head.set_title("head yaw around its mean, degrees", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=60)
    plt.close(figure)


def _progress(text: str) -> None:
    print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.motion", description=__doc__.splitlines()[0])
    parser.add_argument("--footage", type=Path, default=DEFAULT_FOOTAGE, help="folder with manifest.csv and clips/")
    parser.add_argument("--split", default="eval")
    parser.add_argument("--speakers", nargs="+", help="only these speakers")
    parser.add_argument("--per-speaker", type=int, help="at most so many clips of each speaker")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--method", default="fd2talk")
    parser.add_argument("--weights", type=Path, help="a saved folder; the shipped weights if left out")
    parser.add_argument("--steps", type=int, help="denoising steps; the method's own number if left out")
    parser.add_argument("--threads", type=int, help="processor threads for the networks")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/motion.json"))
    chosen = parser.parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    method = resolve(METHODS, chosen.method, kind="method").from_pretrained(chosen.weights)
    options = {} if chosen.steps is None else {"steps": chosen.steps}
    wanted = clips(chosen.footage, chosen.split, chosen.speakers, chosen.per_speaker)
    started = time.perf_counter()
    rows, pairs = measure(wanted, lambda speech, seed: method.generate(speech, seed=seed, **options), chosen.seeds)
    figures = summary(rows)
    print(file=sys.stderr)
    print(figures_table(figures), speaker_table(rows), sep="\n\n")
    folders = {"face-model": shipped("face-model"), chosen.method: chosen.weights or shipped(chosen.method)}
    write_report(
        chosen.output,
        {
            "benchmark": "motion",
            "split": chosen.split,
            "seeds": chosen.seeds,
            "clips": len(rows),
            "seconds_taken": round(time.perf_counter() - started, 1),
            **provenance(folders),
            "figures": figures_as_json(figures),
            "rows": rows,
        },
    )
    plot(chosen.output.with_suffix(".png"), pairs)
    return 0 if all(f.met is not False for f in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
