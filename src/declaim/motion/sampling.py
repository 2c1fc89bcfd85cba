"""One window of motion from noise, without chance on the way, continued from finished frames."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from declaim.diffusion.samplers import SamplerName, ddim_sigma, ddim_step, dpmpp_step
from declaim.diffusion.schedule import Schedule, snr_steps, spaced_steps
from declaim.diffusion.shallow import shallow_start


@runtime_checkable
class Denoiser(Protocol):
    """A network that estimates clean motion from noisy motion and speech."""

    def embed(self, steps: Int[Tensor, " steps"]) -> Tensor:
        """What depends on the diffusion step alone, a row for each: a sampler makes those of all its steps at once."""
        ...

    def listen(self, speech: Float[Tensor, "batch frames features"]) -> Any:
        """What does not depend on the diffusion step, in a form of the network's own: a sampler runs it once."""
        ...

    def __call__(
        self,
        x_t: Float[Tensor, "batch frames columns"],
        step: Tensor,
        heard: Any,
        given: Bool[Tensor, "batch frames"],
        since: int = 0,
    ) -> Float[Tensor, "batch asked columns"]:
        """Estimate the clean motion of the frames from ``since`` on; frames where ``given`` are clean already.

        ``step`` holds the batch's rows of `embed`.
        """
        ...


SEAM_MEAN = 2
"""Frames whose mean counts where windows are joined. On a minute of speech, 3 seeds, the step onto a window's first
frame over all others is .68 for head rotation, .99 for the face and 1.00 for the lips with FD2Talk (.78, .81, .97 with
the prior); with single frames .82, 1.33, 1.00 (.80, .79, .97): the face's noise from frame to frame bends windows."""

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
    guess: Float[Tensor, "generated columns"] | None = None,
    chance: Callable[[int], Float[Tensor, "generated columns"]] | None = None,
) -> Float[Tensor, "generated columns"]:
    """Normalised motion of a window's generated frames.

    Args:
        network: the denoiser.
        heard: normalised speech features of prefix and generated frames.
        finished: the prefix.
        noise: of the frames to generate.
        schedule: the diffusion process.
        visited: falling diffusion steps.
        sampler: how to get from one to the next; ``ddim`` is eq. 5 of FD2Talk with sigma 0.
        settle: (steps, part): after so many steps the part of the estimate that ``part`` gives stays as it is.
        guess: of the generated frames; noised to ``visited[0]`` it is where sampling starts, instead of noise alone.
        chance: fresh noise of a visited step: with it, steps of ``ddim`` are as noisy as DDPM's.
    """
    if guess is not None:
        noise = shallow_start(guess, noise, schedule, visited[0])
    known, x_t, first = finished[None], noise[None], len(finished)
    given = (torch.arange(first + len(noise)) < first)[None]
    hidden, embedded = network.listen(heard[None]), network.embed(torch.tensor(visited))
    settled = estimate = x_t
    before: tuple[Tensor, float] | None = None
    for i, (step, following) in enumerate(zip(visited, [*visited[1:], -1], strict=True)):
        estimate = network(torch.cat([known, x_t], 1), embedded[i : i + 1], hidden, given, first)
        if settle is not None and i >= settle[0]:
            estimate = estimate + settle[1](settled - estimate)
        settled = estimate
        level, next_level = schedule.at(step), schedule.at(following)
        if sampler == "ddim" and chance is not None:
            sigma = ddim_sigma(level, next_level, 1.0)
            x_t = ddim_step(x_t, estimate, level, next_level, sigma=sigma, eps=chance(step)[None])
        elif sampler == "ddim":
            x_t = ddim_step(x_t, estimate, level, next_level)
        else:
            x_t, before = dpmpp_step(x_t, estimate, level, next_level, before), (estimate, level)
    return estimate[0]


def from_rest(
    heard: Float[Tensor, "window features"], prefix: int, columns: int
) -> tuple[Float[Tensor, "longer features"], Float[Tensor, "prefix columns"]]:
    """A clip's first window with a prefix at rest: its speech, the first frame's before it; and the prefix."""
    return torch.cat([heard[:1].expand(prefix, -1), heard]), torch.zeros(prefix, columns)


def cooled(noise: Float[Tensor, "frames columns"], share: float, part: Along) -> Float[Tensor, "frames columns"]:
    """Starting noise of which only a share is left in the part that ``part`` gives: less is left to chance there."""
    return noise + (share - 1.0) * part(noise)


def joined(
    generated: Float[Tensor, "generated columns"],
    finished: Float[Tensor, "prefix columns"],
    fade: int,
    unbent: Along | None = None,
) -> Float[Tensor, "generated columns"]:
    """The generated frames, bent to go on from the finished ones, with which the network does not quite agree.

    In means of `SEAM_MEAN` frames, the step across the border becomes the mean of the steps before and after it: no
    other step has as small a sum of squared second differences. What is added fades out.

    Args:
        generated: a window's frames after the prefix.
        finished: the prefix.
        fade: frames over which what is added fades out.
        unbent: gives the part that stays as it is: lips follow the speech across windows.
    """
    bent = generated.clone()
    if fade and len(finished) and len(generated):
        k = max(min(SEAM_MEAN, len(finished) // 2, len(generated) // 2), 1)
        before, after = (side.unfold(0, k, k).mean(-1) for side in (finished[-2 * k :], generated[: 2 * k]))
        steps = torch.cat([before.diff(dim=0), after.diff(dim=0)])
        onto = steps.mean(0) if len(steps) else 0.0
        weight = torch.cos(0.5 * torch.pi * torch.arange(fade)[: len(bent), None] / fade).square()
        bent[: len(weight)] += weight * (before[-1] + onto - after[0])
    return bent if unbent is None else bent + unbent(generated - bent)
