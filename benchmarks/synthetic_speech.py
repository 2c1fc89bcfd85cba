"""Does synthetic speech help the lips? ``python -m benchmarks.synthetic_speech --corpus C --synthetic S``.

C is a corpus of footage, S one of ``declaim synthesize``. What learns stands in for FD2Talk's expression transformer:
its speech path (regularised as there) and a linear layer to the directions of the lips, trained in a minute. It learns
from footage alone, or from synthetic speech for half as many steps first. No rule for pauses follows, so its figures
lie below the method's.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.report import run
from declaim.data.corpus import Corpus
from declaim.data.sampling import BalancedSampler
from declaim.face.layouts import N_EXPRESSION
from declaim.motion.measure import Material
from declaim.motion.normalizer import Normalizer
from declaim.pretrained import atomic_file
from declaim.recipes.fd2talk import RECIPE, FD2TalkSettings
from declaim.recipes.motion import load_clip
from declaim.train.config import TrainConfig
from declaim.train.optimizer import learning_rate, make_optimizer
from declaim.train.validate import mouth_figures

TRAIN = TrainConfig(batch_size=8, learning_rate=1.5e-3, warmup=50, weight_decay=0.1)
Batches = Callable[[int], Mapping[str, Tensor]]


class LipNet(nn.Module):
    """Speech features to the lips' coordinates, in standard deviations."""

    def __init__(self, settings: FD2TalkSettings, directions: int) -> None:
        super().__init__()
        config = settings.method.expression
        self.path = config.speech_path(settings.method.speech_dim, config.speech_layers)
        self.head = nn.Linear(config.dim, directions)

    def forward(self, speech: Tensor) -> Tensor:
        return self.head(self.path(speech))


class Lips:
    """Coordinates of the lips: their mean and common standard deviation, and the direction that opens the mouth."""

    def __init__(self, units: Normalizer) -> None:
        self.basis, opening = units.lip_basis, units.lip_basis.T @ units.opening
        self.opening = opening / opening.norm()
        self.mean = units.motion_mean[:N_EXPRESSION] @ self.basis
        self.std = (units.motion_std[:N_EXPRESSION, None] * self.basis).square().sum(0).mean().sqrt()

    def of(self, motion: Tensor) -> Tensor:
        return (motion[..., :N_EXPRESSION] @ self.basis - self.mean) / self.std

    def loss(self, made: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Squared errors of the lips, of the opening (three times), and of the lips' velocity (twice)."""
        error = (made - truth) * mask[..., None]
        steps = error.diff(dim=1).square().sum() * 2
        return (error.square().sum() + 3 * (error @ self.opening).square().sum() + steps) / mask.sum().clamp(min=1)


def learn(net: LipNet, lips: Lips, units: Normalizer, batches: Batches, steps: int) -> None:
    """Train in place, with the optimiser of ``declaim train``."""
    config = TRAIN.model_copy(update={"steps": steps})
    optimizer = make_optimizer(net, config)
    net.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        batch = batches(step)
        made = net(units.normal_speech(batch["features"]))
        loss = lips.loss(made, lips.of(batch["target"]), batch["mask"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()


def synthetic_batches(corpus: Corpus, settings: FD2TalkSettings, seed: int) -> Batches:
    """Batches of a synthetic corpus; mouths there are the same on both sides."""
    found = []
    for record in corpus.clips:
        clip = load_clip(corpus, record, settings.method.encoder, 1.0, settings.method.speech_dim)
        found.append(Material(clip.speaker, clip.features, clip.motion, clip.motion, clip.valid, ~clip.valid))
    sampler = BalancedSampler(found, settings.method.frames, seed=seed)
    return lambda step: vars(sampler.batch(step, range(TRAIN.batch_size)))


@torch.no_grad()
def judged(net: LipNet, lips: Lips, units: Normalizer, corpus: Corpus, split: str, settings: FD2TalkSettings) -> float:
    """Mouth correlation, every speaker one vote."""
    curves = []
    for record in corpus.select([split]):
        clip = load_clip(corpus, record, settings.method.encoder, 1.0, settings.method.speech_dim)
        made = net(units.normal_speech(clip.features[None]))[0] @ lips.opening
        curves.append((clip.speaker, made, lips.of(clip.motion) @ lips.opening))
    return mouth_figures(curves)["mouth_correlation"]


def runs(corpus: Corpus, synthetic: Corpus, seeds: list[int], steps: int, split: str) -> Iterator[dict[str, float]]:
    """Figures seed by seed."""
    settings: FD2TalkSettings = RECIPE.presets["default"]
    task = RECIPE.task(corpus, settings)
    units = task.module.normalizer
    assert isinstance(units, Normalizer)
    lips, rows = Lips(units), range(TRAIN.batch_size)
    for seed in seeds:
        made = synthetic_batches(synthetic, settings, seed)
        scores: dict[str, float] = {"seed": seed}
        for name, before in (("footage", 0), ("synthetic, then footage", steps // 2)):
            torch.manual_seed(seed)
            net = LipNet(settings, lips.basis.shape[1])
            if before:
                learn(net, lips, units, made, before)
            # Batches of other numbers are other batches: every seed sees its own.
            learn(net, lips, units, lambda step: task.batch(seed * steps + step, rows), steps)  # noqa: B023
            scores[name] = judged(net, lips, units, corpus, split, settings)
        yield scores


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic_speech", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="footage, prepared with the recipe's tempos")
    parser.add_argument("--synthetic", type=Path, required=True, help="made by declaim synthesize")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--split", default="eval")
    parser.add_argument("-o", "--output", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    rows = []
    for row in runs(Corpus(chosen.corpus), Corpus(chosen.synthetic), chosen.seeds, chosen.steps, chosen.split):
        rows.append(row)
        print("  ".join(f"{name} {value:.3f}" if name != "seed" else f"seed {value}" for name, value in row.items()))
    for name in rows[0]:
        if name != "seed":
            print(f"mean of {name}: {sum(row[name] for row in rows) / len(rows):.3f}")
    if chosen.output:
        with atomic_file(chosen.output) as partial:
            partial.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run(main)
