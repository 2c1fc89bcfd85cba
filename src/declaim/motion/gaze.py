"""Gaze as a random process of its own: where the eyes rest, when they shift, and how they hold the viewer.

Deviation: like blinks, gaze is taken out of the training targets and drawn. What people's tracked eyes do:

* they rest, then shift within three frames to a new place around the viewer that does not depend on the old one
  (regression of the shift on the place before it: -.96 across, -.67 up and down; -1 is independence);
* when the head turns aside they turn back by about half of the angle (.58 cm of iris for 1 rad, 1.2 cm would hold the
  viewer; correlation -.7 to -.9 for speakers whose heads turn by 3 degrees and more); up and down hardly (.10 cm);
* they shift with blinks no more often than without (.75 shifts within 5 frames of a blink, .66 by chance).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.face.eyes import SHIFT_CM

COURSE = (0.2, 0.8)
"""Share of a shift that is done in its first frames; people's saccades take 30 to 60 ms."""


def fixations(
    n_frames: int,
    shifts: Sequence[int],
    draws: Float[Tensor, "shifts 2"],
    spread_cm: Float[Tensor, " 2"],
    at: Float[Tensor, " 2"] | None = None,
) -> Float[Tensor, "frames 2"]:
    """Where the irises stand, cm (x, y), while the head is still.

    Args:
        n_frames: frames of the clip.
        shifts: first frame of every shift, rising; may be negative.
        draws: standard normal numbers of each shift, for its goal.
        spread_cm: standard deviation of the goals.
        at: where they stand before the first shift; in the middle if left out.
    """
    at = torch.zeros(2) if at is None else at
    look = at.repeat(n_frames, 1)
    for k, first in enumerate(shifts):
        move = shift(at, draws[k], spread_cm)
        until = shifts[k + 1] if k + 1 < len(shifts) else n_frames
        for frame, share in enumerate(COURSE, first):
            if 0 <= frame < n_frames:
                look[frame] = at + share * move
        at = at + move
        look[max(first + len(COURSE), 0) : max(until, 0)] = at
    return look


def shift(at: Float[Tensor, " 2"], drawn: Float[Tensor, " 2"], spread_cm: Float[Tensor, " 2"]) -> Float[Tensor, " 2"]:
    """From where the irises stand to the next goal, cm; at least `declaim.face.eyes.SHIFT_CM` long."""
    move = drawn * spread_cm - at
    return move * max(SHIFT_CM / max(float(move.norm()), 1e-6), 1.0)  # a smaller one would be no shift


def held_on_viewer(rotation: Float[Tensor, "frames 3"], gain_cm: Float[Tensor, " 2"]) -> Float[Tensor, "frames 2"]:
    """How the irises move against the head's turn, cm (x, y).

    Args:
        rotation: of the head, axis-angle around rest, rad.
        gain_cm: cm of x for a turn aside of 1 rad, and of y for a nod of 1 rad.
    """
    return rotation[:, [1, 0]] * gain_cm
