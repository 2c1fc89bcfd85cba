"""What is random about a training sequence: it depends on the sequence's seed alone, whatever batch it is in."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from declaim.diffusion.noise import row_generators
from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.schedule import Schedule
from declaim.motion.config import MotionConfig


@dataclass(frozen=True, eq=False)
class Draws:
    """Of a batch of sequences.

    Attributes:
        steps: diffusion steps, one for each network.
        levels: ``alpha_bar`` after these steps.
        eps: standard normal noise.
        given: frames that are given clean: the prefix, in a share of the sequences.
    """

    steps: Int64[Tensor, "batch networks"]
    levels: Float[Tensor, "batch networks 1 1"]
    eps: Float[Tensor, "batch frames columns"]
    given: Bool[Tensor, "batch frames"]

    def noised(
        self, clean: Float[Tensor, "batch frames part"], network: int = 0, first: int = 0
    ) -> Float[Tensor, "batch frames part"]:
        """``clean`` at the steps of one of the networks, clean where given; ``first`` is its first column of noise."""
        noise = self.eps[..., first : first + clean.shape[-1]]
        return torch.where(self.given[..., None], clean, q_sample(clean, noise, self.levels[:, network]))


def draw(
    shape: tuple[int, int, int],
    config: MotionConfig,
    schedule: Schedule,
    device: torch.device,
    *,
    seeds: Int64[Tensor, " batch"] | None = None,
    networks: int = 1,
) -> Draws:
    """Draw what a batch needs.

    Args:
        shape: sequences, frames, columns.
        config: says how often and how long a prefix is.
        schedule: the diffusion process.
        device: of the result; the drawing itself is on the CPU.
        seeds: of the sequences; drawn if left out.
        networks: how many steps each sequence needs.
    """
    batch, frames, columns = shape
    seeds = torch.randint(2**62, (batch,)) if seeds is None else seeds
    steps, eps, given = [], [], []
    for generator in row_generators(seeds):
        steps.append(torch.randint(len(schedule), (networks,), generator=generator))
        eps.append(torch.randn(frames, columns, generator=generator))
        has_prefix = torch.rand(1, generator=generator) < config.prefix_share
        given.append(has_prefix & (torch.arange(frames) < config.prefix))
    chosen = torch.stack(steps)
    levels = schedule.alpha_bar[chosen].float()[:, :, None, None]
    return Draws(chosen.to(device), levels.to(device), torch.stack(eps).to(device), torch.stack(given).to(device))
