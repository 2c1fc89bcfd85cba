"""How far faces move by sampler and steps, and how windows join: the tables of docs/streaming.md.

    python -m benchmarks.sampling --corpus CORPUS --amplitudes
    python -m benchmarks.sampling --speech SPEECH --seams

Amplitudes: standard deviation of the sampled motion over a clip's frames, all columns of a kind together, mean over
clips and seeds, over that of ``MANY`` steps of the second-order sampler; the first seconds of one clip of each of the
training speakers with the most. Seams: mean size of the step onto a window's first frame over that of all others, and
of the second differences there; in brackets the step onto a window's middle frame. Blinks are left out of both.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.report import markdown, provenance, write_report
from declaim.assets import shipped
from declaim.audio.activity import speech_activity
from declaim.data.corpus import Corpus
from declaim.diffusion.windows import windows
from declaim.media import read_audio
from declaim.motion.method import MotionMethod
from declaim.recipes.motion import first_of_each
from declaim.registry import METHODS, resolve
from declaim.types import Motion

MANY = 50
"""Steps that amplitudes are relative to."""
STEPS = (4, 5, 6, 8)
SPEAKERS, FRAMES = 10, 200
SEEDS = (0, 1, 2)
BORDER = (-2, -1, 0)
"""Second differences that a window's first frame takes part in, counted from it."""


def kinds(method: MotionMethod[Any], motion: Motion) -> dict[str, Float[Tensor, "frames _"]]:
    """Motion by kind."""
    basis, b = method.normalizer.lip_basis, motion["expression"]
    lips = b @ basis
    return {
        "head rotation": motion["rotation"], "head translation": motion["translation"],
        "face without lips": b - lips @ basis.T, "lips": lips,
    }  # fmt: skip


def amplitudes(method: MotionMethod[Any], corpus: Corpus, sampler: str, steps: int) -> dict[str, float]:
    """Mean standard deviation of every kind of motion."""
    config = method.config
    method.config = config.model_copy(update={"sampler": sampler})
    clips = [clip for clip in corpus.select(("train",)) if clip.frames >= FRAMES]
    first = set(first_of_each(clips, 1))
    chosen = [clip for clip in clips if clip.name in first][:SPEAKERS]
    found: dict[str, list[float]] = {}
    for clip in chosen:
        features, active = corpus.features(clip, config.encoder)[:FRAMES], corpus.speaking(clip)[:FRAMES]
        for seed in SEEDS:
            take = method.generate_from_features(
                [features], len(features), active=active, seed=seed, steps=steps, blink_scale=0.0
            )
            for name, values in kinds(method, take).items():
                found.setdefault(name, []).append(float(values.var(0).sum().sqrt()))
    method.config = config
    return {name: sum(values) / len(values) for name, values in found.items()}


def amplitude_rows(method: MotionMethod[Any], corpus: Corpus) -> list[list[str]]:
    """Amplitudes of every sampler and number of steps, relative to many steps."""
    many = amplitudes(method, corpus, "dpmpp", MANY)
    rows = []
    for sampler in ("dpmpp", "ddim"):
        for steps in STEPS:
            few = amplitudes(method, corpus, sampler, steps)
            rows.append([sampler, str(steps), *(f"{few[name] / many[name]:.2f}" for name in many)])
            print(*rows[-1], flush=True)
    return rows


def seam_rows(method: MotionMethod[Any], path: Path) -> list[list[str]]:
    """Steps and second differences where windows join, relative to all others."""
    speech = read_audio(path)
    active = speech_activity(speech)
    features, n = method.encoder.encode(speech), speech.n_frames
    starts = torch.tensor([w.start for w in windows(n, method.config.new, method.config.prefix)][1:-1])
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in SEEDS:
        take = method.generate_from_features([features], n, active=active, seed=seed, blink_scale=0.0)
        for name, values in kinds(method, take).items():
            step, bend = values.diff(dim=0).norm(dim=1), values.diff(n=2, dim=0).norm(dim=1)
            found.setdefault(name, []).append((
                over_others(step, starts - 1), over_others(step, starts - 1 + method.config.new // 2),
                over_others(bend, torch.cat([starts + k for k in BORDER])),
            ))  # fmt: skip
    rows = []
    for name, values in found.items():
        onto, middle, bent = torch.tensor(values).mean(0).tolist()
        rows.append([name, f"{onto:.2f} ({middle:.2f})", f"{bent:.2f}"])
    return rows


def over_others(values: Float[Tensor, " steps"], chosen: Tensor) -> float:
    """Mean of the chosen values over the mean of all others."""
    here = torch.zeros(len(values), dtype=torch.bool)
    here[chosen] = True
    return float(values[here].mean() / values[~here].mean())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="fd2talk")
    parser.add_argument("--amplitudes", action="store_true", help="amplitudes by sampler and steps; needs --corpus")
    parser.add_argument("--seams", action="store_true", help="where windows join; needs --speech")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--speech", type=Path, help="a minute of speech")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks/sampling.json"))
    chosen = parser.parse_args(arguments)
    if (chosen.amplitudes and not chosen.corpus) or (chosen.seams and not chosen.speech):
        parser.error("--amplitudes needs --corpus, --seams needs --speech")
    torch.set_num_threads(1)
    method = resolve(METHODS, chosen.method, kind="method").from_pretrained()
    tables: dict[str, list[list[str]]] = {}
    if chosen.amplitudes:
        tables["amplitudes"] = amplitude_rows(method, Corpus(chosen.corpus))
        print(markdown(("sampler", "steps", "head rotation", "translation", "face", "lips"), tables["amplitudes"]))
    if chosen.seams:
        tables["seams"] = seam_rows(method, chosen.speech)
        print(markdown((chosen.method, "step", "second differences"), tables["seams"]))
    write_report(chosen.output, {**provenance({chosen.method: shipped(chosen.method)}), **tables})
    return 0


if __name__ == "__main__":
    sys.exit(main())
