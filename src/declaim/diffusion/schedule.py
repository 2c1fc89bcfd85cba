"""Noise schedules: how much of the signal is left at every step.

``alpha_bar[t]`` is the share of the signal's variance left after step ``t`` (0-based, ``T`` steps in all); it falls
from nearly 1 to nearly 0. Schedules are float64: they are multiplied up from a thousand factors.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError

ScheduleName = Literal["linear", "cosine"]


@dataclass(frozen=True, eq=False)
class Schedule:
    """The cumulative products of a diffusion process.

    Attributes:
        alpha_bar: share of the signal's variance left after each step, falling.
    """

    alpha_bar: Float[Tensor, " steps"]

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def at(self, step: int) -> float:
        """``alpha_bar`` after ``step``; 1 (the clean signal) for step -1."""
        return 1.0 if step < 0 else float(self.alpha_bar[step])


def linear_schedule(steps: int, first: float = 1e-4, last: float = 0.02) -> Schedule:
    """Betas rising linearly.

    Paper: DDPM (Ho et al. 2020), section 4: T = 1000, beta from 1e-4 to 0.02.
    """
    betas = torch.linspace(first, last, steps, dtype=torch.float64)
    return Schedule(torch.cumprod(1.0 - betas, 0))


def cosine_schedule(steps: int, offset: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """Squared-cosine ``alpha_bar``.

    Paper: Improved DDPM (Nichol and Dhariwal 2021), eq. 17, betas clipped at 0.999.
    """

    def curve(s: float) -> float:
        return math.cos((s + offset) / (1.0 + offset) * math.pi / 2.0) ** 2

    betas = [min(1.0 - curve((t + 1) / steps) / curve(t / steps), max_beta) for t in range(steps)]
    return Schedule(torch.cumprod(1.0 - torch.tensor(betas, dtype=torch.float64), 0))


def make_schedule(name: ScheduleName, steps: int) -> Schedule:
    """The schedule called ``name`` with ``steps`` steps."""
    return linear_schedule(steps) if name == "linear" else cosine_schedule(steps)


def spaced_steps(total: int, steps: int) -> list[int]:
    """``steps`` of ``total`` diffusion steps, evenly spaced, falling, the noisiest one (``total - 1``) included.

    Raises:
        ConfigError: more steps than there are, or none.
    """
    _check_steps(total, steps)
    return [round(total - i * total / steps) - 1 for i in range(steps)]


EDGE = 2e-3
"""Share of the variance below which signal or noise is as good as absent: where `snr_steps` begins and ends."""


def half_log_snr(alpha_bar: float) -> float:
    """Logarithm of the signal's amplitude over the noise's: the lambda along which DPM-Solver integrates.

    Paper: DPM-Solver (Lu et al. 2022), section 3.1.
    """
    return 0.5 * math.log(alpha_bar / (1.0 - alpha_bar))


def snr_steps(schedule: Schedule, steps: int) -> list[int]:
    """``steps`` diffusion steps, falling from noise to signal, evenly spaced in lambda (`half_log_snr`).

    Steps even in time end far from the clean signal when they are few, and the estimate there, a mean over all that is
    possible, moves too little. Even in lambda, all amplitudes are kept alike. At the first step, pure noise stands for
    a signal that is nearly drowned.

    Raises:
        ConfigError: more steps than there are, or none.

    Paper: DPM-Solver (Lu et al. 2022), section 3.4, uniform time steps in lambda.
    """
    _check_steps(len(schedule), steps)
    noisy, clean = (max(int((schedule.alpha_bar > level).sum()) - 1, 0) for level in (EDGE, 1.0 - EDGE))
    lambdas = torch.tensor([half_log_snr(level) for level in schedule.alpha_bar.tolist()])
    chosen: list[int] = []
    for i, wanted in enumerate(torch.linspace(float(lambdas[noisy]), float(lambdas[clean]), steps)):
        nearest = int((lambdas - wanted).abs().argmin())
        below = chosen[-1] - 1 if chosen else nearest
        chosen.append(max(min(nearest, below), steps - 1 - i))  # all different, with room for those to come
    return chosen


def _check_steps(total: int, steps: int) -> None:
    if not 1 <= steps <= total:
        raise ConfigError(f"{steps} sampling steps were asked for; this model takes 1 to {total}")
