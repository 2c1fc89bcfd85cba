"""A calm mouth where nobody speaks.

Deviation: people breathe in, swallow and get ready while they pause, and a network trained on them does too; what
viewers see is a mouth that moves without sound. In pauses the lips hold still as far open as the network has them on
average (people do not shut their mouths between two phrases); in long ones they come to rest. Everything else goes on.

Shutting the lips in every pause instead costs .07 of mouth correlation on held-out training speakers (.71, not .78).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.audio.activity import pauses

SHORTEST = 10
"""Frames of the shortest pause in which the lips are calmed."""
CLOSING = 5
"""Frames that the lips take to become calm after speech, and to leave it before."""
LEFT = 0.15
"""Share of the lips' movement that is left in a pause: enough to be alive, too little to seem to speak."""
LONG = (20, 40)
"""Frames of pause from which the lips begin to close, and in which they rest altogether."""

CONTEXT = LONG[1] + CLOSING
"""Frames before and after a frame on which its calm depends: a longer pause is as calm as this one."""


def settled_frames(active: Bool[Tensor, " frames"]) -> int:
    """How many of the first frames `calmed` leaves as they are whatever comes after ``active``."""
    spoken = active.nonzero()[:, 0]
    open_since = int(spoken[-1]) + 1 if len(spoken) else 0
    return open_since if len(active) - open_since < LONG[1] else len(active) - CLOSING


def calmed(
    lips: Float[Tensor, "frames expression"], active: Bool[Tensor, " frames"]
) -> Float[Tensor, "frames expression"]:
    """The lips' motion with calm in pauses.

    speech  ====|..............|====
    share   1111 .9 .7 .3 .1 0 0 0 .1 .3 .7 .9 1111   of their own motion; the rest is calm

    Args:
        lips: relative to the rest pose.
        active: frames that hold speech.
    """
    result = lips.clone()
    for start, stop in pauses(active):
        after_speech, before_speech = start > 0, stop < len(active)
        length = stop - start
        if length < SHORTEST and after_speech and before_speech:
            continue
        inner = lips[start + CLOSING * after_speech : stop - CLOSING * before_speech]
        level = (inner if len(inner) else lips[start:stop]).mean(0)
        closed = min(max((length - LONG[0]) / (LONG[1] - LONG[0]), 0.0), 1.0)
        calm = (1.0 - closed) * (level + LEFT * (lips[start:stop] - level))
        share = _share(length, after_speech, before_speech)[:, None]
        result[start:stop] = share * lips[start:stop] + (1.0 - share) * calm
    return result


def _share(length: int, after_speech: bool, before_speech: bool) -> Float[Tensor, " frames"]:
    share = torch.zeros(length)
    ramp = 0.5 + 0.5 * torch.cos(torch.pi * torch.arange(1, CLOSING + 1) / CLOSING)
    n = min(CLOSING, length)
    if after_speech:
        share[:n] = ramp[:n]
    if before_speech:
        share[-n:] = torch.maximum(share[-n:], ramp.flip(0)[-n:])
    return share
