"""Several takes of one speech, and sounds that are not one clear voice: the figures of docs/takes.md.

    python -m benchmarks.takes --speech SPEECH -o takes.json [--corpus CORPUS]

SPEECH lasts a minute or more. Two people at once are mixed from training speakers of CORPUS, if there is one.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.report import Figure, figures_as_json, figures_table, markdown, provenance, write_report
from declaim.data.corpus import Corpus
from declaim.face.anatomy import lip_directions
from declaim.face.eyes import blinks, eye_opening, lid_closure
from declaim.face.layouts import LIPS
from declaim.face.model import FaceModel
from declaim.face.rotations import yaw_pitch_roll
from declaim.media import read_audio
from declaim.metrics.functional.lip import mouth_opening
from declaim.motion.casting import Cast
from declaim.motion.takes import performances
from declaim.timebase import SAMPLE_RATE
from declaim.types import Motion, Speech

SEEDS = (0, 1, 2)
MINUTE_S, SHORT_S = 60.0, 10.0
PAIRS, PAIR_S, QUIETER_DB = 4, 6.0, 12.0
LEVEL = 0.05
"""Root mean square of the voices that are mixed."""


def differences(method: Any, speech: Speech, model: FaceModel, *, same_lips: bool) -> dict[str, float]:
    """How far takes are from the first one: along the lips' directions, at the lips, in opening, and in rotation."""
    takes = list(performances(method, speech, SEEDS, same_lips=same_lips))
    b = torch.stack([take["expression"] for take in takes])
    along = b.double() @ torch.linalg.qr(lip_directions(model).double()).Q
    points = model.points(b)
    lips = points[:, :, list(LIPS)]
    opening = 10 * mouth_opening(points)
    turned = torch.rad2deg(torch.stack([take["rotation"] for take in takes]))
    return {
        "b along the lips' directions, largest difference, sd": float((along - along[0]).abs().max()),
        "lip points, mean distance, mm": 10 * float((lips - lips[0])[1:].norm(dim=-1).mean()),
        "mouth opening, rms difference, mm": float((opening - opening[0])[1:].square().mean().sqrt()),
        "mouth opening, its own standard deviation, mm": float(opening.std(1).mean()),
        "head rotation around the takes' mean, degrees": float(
            (turned - turned.mean(0)).square().sum(-1).mean().sqrt()
        ),
    }


def odd_sounds(speech: Speech) -> dict[str, Speech]:
    """A voice, and what is none, of equal length at 16 kHz."""
    n = round(SHORT_S * SAMPLE_RATE)
    t = torch.arange(n) / SAMPLE_RATE
    hiss = 1e-4 * torch.randn(n, generator=torch.Generator().manual_seed(0))
    chord = sum(torch.sin(2 * torch.pi * f * t) for f in (220.0, 277.2, 329.6)) * torch.exp(-2 * (t % 0.5))
    voice = speech.between(0, SHORT_S)
    loud = (20 * voice.samples).clamp(-1, 1)
    sounds = {"silence": torch.zeros(n), "hiss": hiss, "music": 0.1 * chord}
    return {"speech": voice, "clipped": Speech(loud, voice.sample_rate)} | {
        name: Speech(samples, SAMPLE_RATE) for name, samples in sounds.items()
    }


def liveliness(motion: Motion, model: FaceModel) -> tuple[float, float, float, int]:
    """Largest mouth opening (mm), standard deviation of yaw and of pitch (degrees), number of blinks."""
    points = model.points(motion["expression"])
    yaw, pitch, _ = torch.rad2deg(yaw_pitch_roll(motion["rotation"])).std(0).tolist()
    return 10 * float(mouth_opening(points).max()), yaw, pitch, len(blinks(lid_closure(eye_opening(points))))


def two_people(method: Any, model: FaceModel, corpus: Corpus) -> dict[str, tuple[float, float]]:
    """Correlation of the mouth of two voices at once with that of each alone, by how much quieter the second is."""
    first: dict[str, Speech] = {}
    for clip in corpus.clips:
        if clip.split == "train" and clip.speaker not in first and len(first) < 2 * PAIRS:
            voice = corpus.speech(clip).between(0, PAIR_S)
            if voice.duration_s > PAIR_S - 0.1:
                level = voice.samples.square().mean().sqrt()
                first[clip.speaker] = Speech(voice.samples * (LEVEL / level), voice.sample_rate)
    voices = list(first.values())

    def mouth(samples: Float[Tensor, " samples"]) -> Float[Tensor, " frames"]:
        return mouth_opening(model.points(method.generate(Speech(samples, SAMPLE_RATE))["expression"]))

    found: dict[str, list[tuple[float, float]]] = {"equally loud": [], f"{QUIETER_DB:g} dB quieter": []}
    for one, two in zip(voices[::2], voices[1::2], strict=True):
        n = min(len(one.samples), len(two.samples))
        a, b = one.samples[:n], two.samples[:n]
        alone = mouth(a), mouth(b)
        for values, gain in zip(found.values(), (1.0, 10 ** (-QUIETER_DB / 20)), strict=True):
            both = mouth(a + gain * b)
            values.append(tuple(float(torch.corrcoef(torch.stack([both, own]))[0, 1]) for own in alone))
    return {words: tuple(torch.tensor(values).mean(0).tolist()) for words, values in found.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.takes", description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--method", default="fd2talk")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks/takes.json"))
    chosen = parser.parse_args(arguments)
    method, model = Cast.named(chosen.method, chosen.weights).load(), FaceModel.from_pretrained()
    speech = read_audio(chosen.speech).between(0, MINUTE_S)
    figures = [
        Figure(f"{'same lips' if same else 'as they come'}: {name}", value)
        for same in (False, True)
        for name, value in differences(method, speech, model, same_lips=same).items()
    ]
    if chosen.corpus is not None:
        for words, (one, two) in two_people(method, model, Corpus(chosen.corpus)).items():
            figures += [Figure(f"two at once, {words}: correlation with the first alone", one),
                        Figure(f"two at once, {words}: with the second alone", two)]  # fmt: skip
    sounds = odd_sounds(speech).items()
    rows = [(name, seed, *liveliness(method.generate(s, seed=seed), model)) for name, s in sounds for seed in SEEDS]
    header = ("sound", "seed", "mouth opens, mm", "yaw sd, deg", "pitch sd, deg", "blinks")
    print(figures_table(figures))
    print("\n" + markdown(header, [[f"{v:.2f}" if isinstance(v, float) else v for v in row] for row in rows]))
    report = {
        **provenance(),
        "figures": figures_as_json(figures),
        "sounds": [dict(zip(header, r, strict=True)) for r in rows],
    }
    write_report(chosen.output, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
