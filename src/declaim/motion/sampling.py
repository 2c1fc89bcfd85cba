"""One window of motion from noise, without chance on the way, continued from finished frames."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from declaim.diffusion.samplers import SamplerName, ddim_step, dpmpp_step
from declaim.diffusion.schedule import Schedule, snr_steps, spaced_steps


@runtime_checkable
class Denoiser(Protocol):
    """A network that estimates clean motion from noisy motion and speech."""

    def listen(self, speech: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames _"]:
        """What does not depend on the diffusion step: a sampler runs it once."""
        ...

    def __call__(
        self,
        x_t: Float[Tensor, "batch frames columns"],
        step: Int[Tensor, " batch"],
        heard: Float[Tensor, "batch frames _"],
        given: Bool[Tensor, "batch frames"],
    ) -> Float[Tensor, "batch frames columns"]:
        """Estimate the clean motion; frames where ``given`` are clean already."""
        ...


SLOPE_FRAMES = 5
"""Frames at the prefix's end that give the slope of the bend. On a minute of speech, 3 seeds, the head's second
differences at seams are 1.22 times those elsewhere (1.42 without a slope), its steps 1.07 times (1.17)."""

Along = Callable[[Float[Tensor, "*batch columns"]], Float[Tensor, "*batch columns"]]


def steps_to_visit(schedule: Schedule, sampler: SamplerName, steps: int) -> list[int]:
    """Falling diffusion steps that suit a sampler.

    Raises:
        ConfigError: more steps than there are, or none.
    """
    return spaced_steps(len(schedule), steps) if sampler == "ddim" else snr_steps(schedule, steps)


def sample_window(
    network: Denoiser,
    heard: Float[Tensor, "window features"],
    finished: Float[Tensor, "prefix columns"],
    noise: Float[Tensor, "generated columns"],
    schedule: Schedule,
    *,
    visited: list[int],
    sampler: SamplerName,
    settle: tuple[int, Along] | None = None,
) -> Float[Tensor, "window columns"]:
    """Normalised motion of a whole window: the network's idea of the finished frames, then the generated ones.

    Args:
        network: the denoiser.
        heard: normalised speech features of prefix and generated frames.
        finished: the prefix.
        noise: of the frames to generate.
        schedule: the diffusion process.
        visited: falling diffusion steps.
        sampler: how to get from one to the next; ``ddim`` is eq. 5 of FD2Talk with sigma 0.
        settle: (steps, part): after so many steps the part of the estimate that ``part`` gives stays as it is.
    """
    x_t = torch.cat([finished, noise])[None]
    given = (torch.arange(x_t.shape[1]) < len(finished))[None]
    hidden = network.listen(heard[None])
    settled = estimate = x_t
    before: tuple[Tensor, float] | None = None
    for i, (step, following) in enumerate(zip(visited, [*visited[1:], -1], strict=True)):
        estimate = network(x_t, torch.tensor([step]), hidden, given)
        if settle is not None and i >= settle[0]:
            estimate = estimate + settle[1](settled - estimate)
        settled = estimate
        level, next_level = schedule.at(step), schedule.at(following)
        if sampler == "ddim":
            x_t = ddim_step(x_t, estimate, level, next_level)
        else:
            x_t, before = dpmpp_step(x_t, estimate, level, next_level, before), (estimate, level)
        x_t[:, : len(finished)] = finished
    return estimate[0]


def joined(
    window: Float[Tensor, "window columns"], finished: Float[Tensor, "prefix columns"], fade: int
) -> Float[Tensor, "generated columns"]:
    """The frames after the prefix, bent to go on from the finished frames, not from the network's idea of them.

    What is added begins with the difference in the prefix's last frame and with its slope there, so that neither place
    nor speed jumps, and fades out.

    Args:
        window: what `sample_window` gave.
        finished: the prefix.
        fade: frames over which the difference fades out.
    """
    n = len(finished)
    generated = window[n:].clone()
    if n and fade:
        differ = finished[-SLOPE_FRAMES:] - window[max(n - SLOPE_FRAMES, 0) : n]
        slope = (differ[-1] - differ[0]) / max(len(differ) - 1, 1)
        ahead = torch.arange(1, fade + 1)[: len(generated), None]
        weight = torch.cos(0.5 * torch.pi * ahead / (fade + 1)).square()
        generated[: len(ahead)] += weight * (differ[-1] + ahead * slope)
    return generated
