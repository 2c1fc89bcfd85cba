"""Steps per second of the training loop with FD2Talk's default networks, and how much of a step is the loop's own.

    python -m benchmarks.train_step -o train_step.json
    accelerate launch --num_processes 2 -m benchmarks.train_step -o train_step.json

Made-up clips of the real shapes: speed depends on shapes alone. The loop's own share is what checkpoints apart it adds
to loss, gradients and optimiser: batches, seeds, moving average, exchange of numbers, curves.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.report import Figure, figures_as_json, figures_table, provenance, write_report
from declaim.data.sampling import BalancedSampler
from declaim.methods.fd2talk import FD2Talk, default
from declaim.train.config import TrainConfig
from declaim.train.loop import train
from declaim.train.processes import make_accelerator

CLIPS, FRAMES = 64, 300


@dataclass(frozen=True)
class Clip:
    speaker: str
    features: Tensor
    target: Tensor
    mirrored: Tensor
    mask: Tensor
    pose_mask: Tensor


class Speed:
    """The recipe's task without its corpus."""

    clips = ()

    def __init__(self) -> None:
        self.module = FD2Talk(default())
        motion, mask = torch.randn(FRAMES, 70), torch.ones(FRAMES, dtype=torch.bool)
        heard = torch.randn(FRAMES, default().speech_dim)
        clips = [Clip(str(i % 8), heard, motion, motion, mask, mask) for i in range(CLIPS)]
        self.sampler = BalancedSampler(clips, default().frames)

    def batch(self, number, rows):
        return dict(vars(self.sampler.batch(number, rows)))

    def names(self, number, rows):
        return [""] * len(rows)

    def losses(self, module, batch, seeds):
        return module.loss(batch["features"], batch["target"], batch["mask"], batch["pose_mask"], seeds)

    def validate(self, module):
        return {}

    def save(self, module, folder, card):
        raise NotImplementedError


def measure(config: TrainConfig) -> dict[str, float]:
    """Median seconds of a step of the loop, and of its arithmetic alone."""
    accelerator = make_accelerator(config)
    task, ends = Speed(), []
    with tempfile.TemporaryDirectory() as folder:
        train(task, config, Path(folder), accelerator=accelerator, on_step=lambda *_: ends.append(time.perf_counter()))
    if not accelerator.is_main_process:
        return {}
    whole = statistics.median(b - a for a, b in pairwise(ends[2:]))
    return {"step_s": whole, "bare_s": bare(task, config, accelerator)}


def bare(task: Speed, config: TrainConfig, accelerator) -> float:
    module, device = task.module, accelerator.device
    rows = range(config.batch_size // accelerator.num_processes)
    batch = {name: tensor.to(device) for name, tensor in task.batch(0, rows).items()}
    optimizer = torch.optim.AdamW(module.parameters(), 1e-6)
    taken = []
    for _ in range(max(config.steps // 2, 3)):
        begun = time.perf_counter()
        with accelerator.autocast():
            total = task.losses(module, batch, torch.arange(len(rows)))["total"]
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        float(total)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="JSON report")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", nargs="+", default=["no", "bf16"], choices=("no", "bf16", "fp16"))
    chosen = parser.parse_args(arguments)
    figures, raw = [], {}
    for precision in chosen.precision:
        config = TrainConfig(
            steps=chosen.steps, batch_size=chosen.batch, precision=precision, save_every=10**6, validate_every=10**6
        )
        raw[precision] = seconds = measure(config)
        if not seconds:
            return 0
        own = max(1 - seconds["bare_s"] / seconds["step_s"], 0.0)
        figures += [
            Figure(f"steps/s, batch {chosen.batch}, precision {precision}", 1 / seconds["step_s"]),
            Figure(f"the loop's own share, precision {precision}", own, high=0.15),
        ]
    print(figures_table(figures))
    if chosen.output:
        where = "one GPU each" if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
        write_report(
            chosen.output, {**provenance(), "where": where, "figures": figures_as_json(figures), "seconds": raw}
        )
    return 0 if all(figure.met is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
