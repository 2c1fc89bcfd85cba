"""Shallow diffusion: the reverse process starts from a noised first guess instead of from pure noise.

    clean                     start              noise
      0 |----------------------|-------------------| T      diffusion steps
        <=== reverse steps ====*                            * the guess, noised to here

The better the guess, the sooner its noised version and that of real signals cannot be told apart, and the fewer steps
are left.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.schedule import Schedule
from declaim.errors import ConfigError


def shallow_start(
    guess: Float[Tensor, "*shape"], eps: Float[Tensor, "*shape"], schedule: Schedule, step: int
) -> Float[Tensor, "*shape"]:
    """The guess noised as a real signal would be at ``step``: where the reverse process begins.

    Args:
        guess: estimate of the clean signal.
        eps: standard normal noise.
        schedule: the process.
        step: the start; -1 gives the guess itself.

    Paper: DiffSinger (Liu et al. 2022), section 3.2.
    """
    return q_sample(guess, eps, schedule.at(step))


def shallow_schedule(schedule: Schedule, start: int) -> Schedule:
    """The part of the process up to ``start``, that step included: any step list of it begins there.

    Raises:
        ConfigError: there is no such step.
    """
    if not 0 <= start < len(schedule):
        raise ConfigError(f"the shallow start is step {start}; this process has steps 0 to {len(schedule) - 1}")
    return Schedule(schedule.alpha_bar[: start + 1])


def boundary_step(margins: Sequence[float], threshold: float, share: float = 0.95) -> int:
    """Where noised guesses become as good as noised signals: the smallest such place.

    Args:
        margins: by rising diffusion step, how much surer a classifier is of real signals than of guesses.
        threshold: a margin of at most this is small.
        share: how many of the margins from the place on must be small.

    Returns:
        The smallest ``k`` for which at least ``share`` of ``margins[k:]`` are small; the last one if there is none.

    Raises:
        ConfigError: no margins, or a share outside 0 .. 1.

    Paper: DiffSinger (Liu et al. 2022), section 3.3, boundary prediction.
    """
    if not margins or not 0.0 <= share <= 1.0:
        raise ConfigError(f"got {len(margins)} margins and a share of {share}; expected one or more, and 0 to 1")
    boundary, small = len(margins) - 1, 0
    for k in reversed(range(len(margins))):
        small += margins[k] <= threshold
        if small >= share * (len(margins) - k):
            boundary = k
    return boundary
