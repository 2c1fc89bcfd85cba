"""Diffusion, shallow start and guidance, seen in two dimensions in seconds.

The data are two moons made of small Gaussian blobs, so the best possible denoiser has a closed form and nothing needs
training. Everything else is declaim's own core, as used on faces.

    python examples/toy_diffusion.py toy.png
"""

import math
import sys
from pathlib import Path

import torch
from torch import Tensor

from declaim.diffusion.guidance import guided
from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.samplers import Denoise, sample_ddim
from declaim.diffusion.schedule import cosine_schedule, spaced_steps

SCHEDULE = cosine_schedule(1000)
BLOB_SD = 0.06


def moons() -> tuple[Tensor, Tensor]:
    """Blob centres of an upper (class 0) and a lower (class 1) moon."""
    angle = torch.linspace(0, math.pi, 24)
    upper = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], 1)
    lower = torch.stack([0.5 - angle.cos(), 0.25 - angle.sin()], 1)
    return upper, lower


def best_denoiser(centres: Tensor) -> Denoise:
    """The exact expectation of the clean point, for blobs at ``centres``."""

    def denoise(x_t: Tensor, step: int) -> Tensor:
        level = SCHEDULE.at(step)
        variance = level * BLOB_SD**2 + 1 - level
        distance = ((x_t[:, None] - level**0.5 * centres) ** 2).sum(-1)
        weight = torch.softmax(-distance / (2 * variance), 1)
        gain = level**0.5 * BLOB_SD**2 / variance
        per_blob = centres + gain * (x_t[:, None] - level**0.5 * centres)
        return (weight[..., None] * per_blob).sum(1)

    return denoise


def clouds() -> dict[str, Tensor]:
    """Point clouds to look at, by title."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(600, 2, generator=generator)
    upper, lower = moons()
    anything, only_upper = best_denoiser(torch.cat([upper, lower])), best_denoiser(upper)
    fifty = spaced_steps(1000, 50)
    rough = torch.cat([upper, lower])[torch.randint(48, (600,), generator=generator)]
    rough = rough + 0.35 * noise  # a rough guess, as an auxiliary decoder gives
    start = 300
    late = [step for step in fifty if step <= start]
    return {
        "noise": noise,
        "50 steps": sample_ddim(anything, noise, SCHEDULE, fifty),
        "4 steps": sample_ddim(anything, noise, SCHEDULE, spaced_steps(1000, 4)),
        "a rough guess": rough,
        f"shallow start: {len(late)} steps": sample_ddim(
            anything, q_sample(rough, noise.flip(0), SCHEDULE.at(late[0])), SCHEDULE, late
        ),
        "guided to the upper moon": sample_ddim(guided(only_upper, anything, 1.5), noise, SCHEDULE, fifty),
    }


def main(path: Path) -> None:
    """Draw the clouds."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 6, figsize=(18, 3.2))
    for axis, (title, cloud) in zip(axes, clouds().items(), strict=True):
        axis.scatter(*cloud.T, s=3)
        axis.set(title=title, xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "toy.png"))
