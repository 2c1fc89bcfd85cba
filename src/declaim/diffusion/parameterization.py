"""Noising, and conversions between what a network may predict: the signal x0, the noise eps, the velocity v.

``alpha_bar`` is a number or a tensor that broadcasts against the signals.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

Level = Float[Tensor, "..."] | float


def _roots(alpha_bar: Level, like: Tensor) -> tuple[Tensor, Tensor] | tuple[float, float]:
    if isinstance(alpha_bar, float):
        return math.sqrt(alpha_bar), math.sqrt(1.0 - alpha_bar)
    level = torch.as_tensor(alpha_bar, dtype=torch.float64)
    return level.sqrt().to(like.dtype), (1.0 - level).sqrt().to(like.dtype)


def q_sample(x0: Float[Tensor, "*shape"], eps: Float[Tensor, "*shape"], alpha_bar: Level) -> Float[Tensor, "*shape"]:
    """The noisy signal.

    Paper: FD2Talk (MM 2024), eq. 2.
    """
    signal, noise = _roots(alpha_bar, x0)
    return signal * x0 + noise * eps


def x0_to_eps(x0: Float[Tensor, "*shape"], x_t: Float[Tensor, "*shape"], alpha_bar: Level) -> Float[Tensor, "*shape"]:
    """The noise that leads from ``x0`` to ``x_t``.

    Paper: DDIM (Song et al. 2021), eq. 9 solved for the noise.
    """
    signal, noise = _roots(alpha_bar, x0)
    return (x_t - signal * x0) / noise


def eps_to_x0(eps: Float[Tensor, "*shape"], x_t: Float[Tensor, "*shape"], alpha_bar: Level) -> Float[Tensor, "*shape"]:
    """The signal from which ``eps`` leads to ``x_t``.

    Paper: DDIM (Song et al. 2021), eq. 9.
    """
    signal, noise = _roots(alpha_bar, x_t)
    return (x_t - noise * eps) / signal


def x0_to_v(x0: Float[Tensor, "*shape"], x_t: Float[Tensor, "*shape"], alpha_bar: Level) -> Float[Tensor, "*shape"]:
    """The velocity ``sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0``.

    Paper: Progressive distillation (Salimans and Ho 2022), section 4.
    """
    signal, noise = _roots(alpha_bar, x0)
    return signal * x0_to_eps(x0, x_t, alpha_bar) - noise * x0


def v_to_x0(v: Float[Tensor, "*shape"], x_t: Float[Tensor, "*shape"], alpha_bar: Level) -> Float[Tensor, "*shape"]:
    """The signal from the velocity.

    Paper: Progressive distillation (Salimans and Ho 2022), appendix D.
    """
    signal, noise = _roots(alpha_bar, x_t)
    return signal * x_t - noise * v
