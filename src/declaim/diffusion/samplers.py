"""Reverse steps from noise to signal, for networks that predict the clean signal."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.diffusion.parameterization import x0_to_eps
from declaim.diffusion.schedule import Schedule, half_log_snr

Denoise = Callable[[Float[Tensor, "*shape"], int], Float[Tensor, "*shape"]]
"""A network seen by a sampler: (x_t, step) to the estimated clean signal."""
SamplerName = Literal["ddim", "dpmpp"]


def ddim_sigma(alpha_bar: float, alpha_bar_next: float, eta: float) -> float:
    """Standard deviation of the fresh noise of one step; 0 for ``eta`` 0, DDPM's for ``eta`` 1.

    Paper: DDIM (Song et al. 2021), eq. 16.
    """
    variance = (1.0 - alpha_bar_next) / (1.0 - alpha_bar) * (1.0 - alpha_bar / alpha_bar_next)
    return float(eta * max(variance, 0.0) ** 0.5)


def ddim_step(
    x_t: Float[Tensor, "*shape"],
    x0: Float[Tensor, "*shape"],
    alpha_bar: float,
    alpha_bar_next: float,
    *,
    sigma: float = 0.0,
    eps: Float[Tensor, "*shape"] | None = None,
) -> Float[Tensor, "*shape"]:
    """One reverse step to any less noisy level.

    The paper prints ``sqrt(1 - alpha_bar) - sigma^2``; the root belongs over both, as in DDIM's eq. 12.

    Args:
        x_t: noisy signal at ``alpha_bar``.
        x0: the network's estimate of the clean signal.
        alpha_bar: present level.
        alpha_bar_next: level after the step, larger.
        sigma: standard deviation of fresh noise.
        eps: fresh standard noise; needed if ``sigma`` is not 0.

    Paper: FD2Talk (MM 2024), eq. 5.
    """
    direction = max(1.0 - alpha_bar_next - sigma**2, 0.0) ** 0.5 * x0_to_eps(x0, x_t, alpha_bar)
    stepped: Tensor = alpha_bar_next**0.5 * x0 + direction
    return stepped if eps is None else stepped + sigma * eps


def ddpm_mean(
    x_t: Float[Tensor, "*shape"], x0: Float[Tensor, "*shape"], alpha_bar: float, alpha_bar_next: float
) -> Float[Tensor, "*shape"]:
    """Mean of the posterior of the next, less noisy signal.

    Paper: DDPM (Ho et al. 2020), eq. 7.
    """
    alpha = alpha_bar / alpha_bar_next
    weight_x0 = alpha_bar_next**0.5 * (1.0 - alpha) / (1.0 - alpha_bar)
    weight_x_t = alpha**0.5 * (1.0 - alpha_bar_next) / (1.0 - alpha_bar)
    mean: Tensor = weight_x0 * x0 + weight_x_t * x_t
    return mean


def sample_ddim(
    denoise: Denoise,
    x_start: Float[Tensor, "*shape"],
    schedule: Schedule,
    steps: Sequence[int],
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*shape"]:
    """Run the reverse process from ``x_start``, noisy at ``steps[0]``, to the clean signal.

    Args:
        denoise: the network with its conditions bound.
        x_start: noisy signal.
        schedule: the process.
        steps: falling diffusion steps to visit; the first may be any (a shallow start).
        eta: 0 deterministic, 1 as noisy as DDPM.
        generator: source of fresh noise, needed if ``eta`` is not 0.

    Paper: DDIM (Song et al. 2021), eq. 12.
    """
    x_t = x_start
    for step, following in zip(steps, [*steps[1:], -1], strict=True):
        level, next_level = schedule.at(step), schedule.at(following)
        sigma = ddim_sigma(level, next_level, eta)
        eps = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype) if sigma > 0.0 else None
        x_t = ddim_step(x_t, denoise(x_t, step), level, next_level, sigma=sigma, eps=eps)
    return x_t


def dpmpp_step(
    x_t: Float[Tensor, "*shape"],
    x0: Float[Tensor, "*shape"],
    alpha_bar: float,
    alpha_bar_next: float,
    before: tuple[Float[Tensor, "*shape"], float] | None = None,
) -> Float[Tensor, "*shape"]:
    """One deterministic reverse step along the estimate's change since the step before: second order.

    The change is taken as linear in lambda and integrated exactly. Without a step before it, or onto the clean signal
    (lambda is infinite there), the step is of first order, which is `ddim_step`.

    Args:
        x_t: noisy signal at ``alpha_bar``.
        x0: the network's estimate of the clean signal.
        alpha_bar: present level.
        alpha_bar_next: level after the step, larger.
        before: estimate and level of the step before.

    Paper: DPM-Solver++ (Lu et al. 2022), eq. 9 with k = 2, the derivative from the step before as in algorithm 2.
    """
    if before is not None and alpha_bar_next < 1.0:
        estimate, level = before
        now, following = half_log_snr(alpha_bar), half_log_snr(alpha_bar_next)
        h = following - now
        share = 1.0 / -math.expm1(-h) - 1.0 / h
        x0 = x0 + (share * h / (now - half_log_snr(level))) * (x0 - estimate)
    return ddim_step(x_t, x0, alpha_bar, alpha_bar_next)


def sample_dpmpp(
    denoise: Denoise, x_start: Float[Tensor, "*shape"], schedule: Schedule, steps: Sequence[int]
) -> Float[Tensor, "*shape"]:
    """`sample_ddim` without fresh noise, in steps of second order.

    Args:
        denoise: the network with its conditions bound.
        x_start: noisy signal.
        schedule: the process.
        steps: falling diffusion steps to visit.

    Paper: DPM-Solver++ (Lu et al. 2022), algorithm 2.
    """
    x_t, before = x_start, None
    for step, following in zip(steps, [*steps[1:], -1], strict=True):
        level = schedule.at(step)
        x0 = denoise(x_t, step)
        x_t, before = dpmpp_step(x_t, x0, level, schedule.at(following), before), (x0, level)
    return x_t
