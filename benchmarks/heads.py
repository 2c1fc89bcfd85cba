"""How heads of training speakers and of methods turn, and how well a calibration holds for speakers it did not see.

python -m benchmarks.heads --corpus CORPUS --method fd2talk --method a2v-prior

Speakers are those whose heads are learnt, the first clip of each; angles in degrees, speeds in degrees a second.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from declaim.data.corpus import Corpus
from declaim.face.layouts import N_EXPRESSION
from declaim.metrics.functional.motion import head_deviation, spread
from declaim.motion.calibrate import lively_settings
from declaim.motion.casting import Role
from declaim.motion.liveliness import enlivened
from declaim.motion.normalizer import NO_CONTRAST
from declaim.motion.smoothing import smoothed
from declaim.motion.spectrum import HeadSpeed
from declaim.motion.targets import pose_around_rest
from declaim.recipes.motion import MotionData, prepare
from declaim.timebase import FPS

SEEDS, HALVINGS = 6, 10
COLUMNS = ("turning", "median", "fastest 10th", "fastest 100th", "10th / median in a clip",
           *(f"spread of speed within {s:g} s" for s in (0.25, 0.5, 1.0)))  # fmt: skip


def speeds(pose: Tensor) -> Tensor:
    """Angular speed of every frame but the first."""
    return torch.rad2deg(head_deviation(pose[:, :3]).diff(dim=0).norm(dim=1)) * float(FPS)


def figures(pose: Tensor) -> list[float]:
    """One value for each of `COLUMNS`; the spread is that of the local root mean square's logarithm."""
    speed = speeds(pose)
    median, tenth, hundredth = (float(speed.quantile(q)) for q in (0.5, 0.9, 0.99))
    local = [smoothed(speed.square()[:, None], s * float(FPS))[:, 0].log() / 2 for s in (0.25, 0.5, 1.0)]
    turning = float(torch.rad2deg(spread(head_deviation(pose[:, :3]))))
    return [turning, median, tenth, hundredth, tenth / median, *(float(each.std()) for each in local)]


def mean_figures(poses: Sequence[Tensor]) -> Tensor:
    """Means over clips."""
    return torch.tensor([figures(pose) for pose in poses]).mean(0)


def halves(people: Sequence[Tensor], takes: Sequence[Sequence[Tensor]]) -> Tensor:
    """Ratios to people of turning, median and fastest tenth on one half of the speakers, calibrated on the other."""
    ratios, generator = [], torch.Generator().manual_seed(0)
    for _ in range(HALVINGS):
        order = torch.randperm(len(people), generator=generator).tolist()
        first, second = order[: len(order) // 2], order[len(order) // 2 :]
        for seen, unseen in ((first, second), (second, first)):
            wanted = HeadSpeed.mean([people[i][:, :3] for i in seen])
            settings = lively_settings([pose for i in seen for pose in takes[i]], wanted)
            made = mean_figures([enlivened(pose, *settings) for i in unseen for pose in takes[i]])
            ratios.append((made / mean_figures([people[i] for i in unseen]))[:3])
    return torch.stack(ratios)


def main() -> None:
    """Print the table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--method", action="append", required=True)
    arguments = parser.parse_args()
    print(" | ".join(("", *COLUMNS)))
    for name in arguments.method:
        method: Any = Role(name).load()
        units = method.normalizer
        material = prepare(Corpus(arguments.corpus), MotionData(tempos=(), sync="none"), method.config)
        clips = material.moving()
        people = [pose_around_rest(clip.motion[:, N_EXPRESSION:], clip.valid) for clip in clips]
        method.normalizer = replace(units, pose_filter=torch.ones(1), pose_contrast=NO_CONTRAST)
        takes = [
            [method.generate_from_features([c.features], len(c.features), seed=SEEDS * i + k).values[:, N_EXPRESSION:]
             for k in range(SEEDS)]
            for i, c in enumerate(clips)
        ]  # fmt: skip
        every = [pose for own in takes for pose in own]
        rows = {
            f"people ({len(clips)})": people,
            f"{name}, sampled": every,
            f"{name}, filter alone": [enlivened(pose, units.pose_filter, NO_CONTRAST) for pose in every],
            f"{name}, shipped": [enlivened(pose, units.pose_filter, units.pose_contrast) for pose in every],
        }
        for row, poses in rows.items():
            print(" | ".join((row, *(f"{value:.2f}" for value in mean_figures(poses).tolist()))))
        logs = halves(people, takes).log()
        print(f"{name}, unseen halves: turning, median, fastest tenth of people's, geometric mean",
              [round(v, 2) for v in logs.mean(0).exp().tolist()], "and spread, times or divided by",
              [round(v, 2) for v in logs.std(0).exp().tolist()])  # fmt: skip


if __name__ == "__main__":
    main()
