"""A calm mouth where nobody speaks.

Deviation: people breathe in, swallow and get ready while they pause, and a network trained on them does too; what
viewers see is a mouth that moves without sound. In pauses the lips are brought to rest; everything else goes on.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.audio.activity import pauses

SHORTEST = 8
"""Frames of the shortest pause in which the lips come to rest; in shorter ones they are on their way already."""
CLOSING = 4
"""Frames that the lips take to come to rest after speech, and to leave it before."""


def lip_gate(active: Bool[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """Share of the lips' motion that is left in every frame: 1 in speech, 0 within pauses, smooth between.

    speech  ====|..............|====
    gate    1111 .8 .5 .1 0 0 .1 .5 .8 1111
    """
    gate = torch.ones(len(active))
    ramp = 0.5 + 0.5 * torch.cos(torch.pi * torch.arange(1, CLOSING + 1) / CLOSING)
    for start, stop in pauses(active):
        after_speech, before_speech = start > 0, stop < len(active)
        if stop - start < SHORTEST and after_speech and before_speech:
            continue
        gate[start:stop] = 0.0
        if after_speech:
            n = min(CLOSING, stop - start)
            gate[start : start + n] = ramp[:n]
        if before_speech:
            n = min(CLOSING, stop - start)
            gate[stop - n : stop] = torch.maximum(gate[stop - n : stop], ramp.flip(0)[-n:])
    return gate
