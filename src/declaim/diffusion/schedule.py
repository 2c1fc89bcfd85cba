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
    if not 1 <= steps <= total:
        raise ConfigError(f"{steps} sampling steps were asked for; this model takes 1 to {total}")
    return [round(total - i * total / steps) - 1 for i in range(steps)]
