"""How long it takes from one event to the next, where short clips cut most of the waiting off.

A clip shows waits that ended and one that it cut off; leaving the latter out would make people who blink every four
seconds look as though they did it every second. The share still waiting after a time is therefore estimated from all
waits that lasted so long (Kaplan and Meier, JASA 1958).
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.timebase import FPS

HORIZON_S = 5.0
"""Longer waits count as this: clips are too short to tell more."""

Wait = tuple[int, bool]
"""Frames, and whether an event ended it (not the clip)."""


def waits(events: Sequence[int], n_frames: int) -> list[Wait]:
    """From every event of a clip to the next, and from the last one to the clip's end. None without an event.

    Args:
        events: their frames, rising.
        n_frames: frames of the clip.
    """
    ended = [(b - a, True) for a, b in pairwise(events)]
    return [*ended, (n_frames - 1 - events[-1], False)] if events else []


def still_waiting(found: Iterable[Wait], fps: Fraction = FPS) -> Float[Tensor, " frames"]:
    """Share of waits that last longer than 0, 1, 2 ... frames, up to `HORIZON_S`.

    Where no wait lasts so long, the last share is held.
    """
    known = list(found)
    lasted = torch.tensor([frames for frames, _ in known])
    ended = torch.tensor([over for _, over in known], dtype=torch.bool)
    shares = [1.0]
    for frame in range(1, round(HORIZON_S * fps)):
        exposed = int((lasted >= frame).sum())
        over = int(((lasted == frame) & ended).sum())
        shares.append(shares[-1] * (1 - over / exposed) if exposed else shares[-1])
    return torch.tensor(shares)


def median_wait_s(shares: Float[Tensor, " frames"], fps: Fraction = FPS) -> float | None:
    """Seconds after which half of the waits are over; None where that takes longer than is known.

    Args:
        shares: from `still_waiting`.
        fps: frames a second.
    """
    over = (shares <= 0.5).nonzero()[:, 0]
    return float(over[0]) / float(fps) if len(over) else None


def wait_distance_s(shares: Float[Tensor, " frames"], others: Float[Tensor, " frames"], fps: Fraction = FPS) -> float:
    """Wasserstein distance of two distributions of waits in seconds, waits over `HORIZON_S` cut to it.

    It is the area between the two curves.

    Args:
        shares: from `still_waiting`.
        others: the other distribution's.
        fps: frames a second.
    """
    return float((shares - others).abs().sum()) / float(fps)
