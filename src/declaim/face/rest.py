"""A person's rest shape from tracked video: the mean over the frames in which the face does least."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from declaim.face.layouts import LIPS_INNER_LOWER, LIPS_INNER_UPPER, TRACKER_SCORES

_ACTIVE = tuple(
    i for i, name in enumerate(TRACKER_SCORES) if name.startswith(("jawOpen", "mouth", "eyeBlink", "eyeLook", "brow"))
)
REST_SHARE = 0.1
"""Share of the frames that count as rest."""
REST_FRAMES = (5, 50)
"""Least and greatest number of rest frames."""


def neutral_frames(
    shapes: Float[Tensor, "frames points 3"], scores: Float[Tensor, "frames 52"]
) -> Int[Tensor, " rest"]:
    """The frames in which mouth, eyes and brows are least active.

    Every score counts from its own low level in the clip, because the tracker's scores have an offset for each person.
    The lips' opening counts in absolute terms, because somebody who always speaks has no closed-mouth score.

    Args:
        shapes: pose-free shapes, cm.
        scores: the tracker's scores in its own order (`TRACKER_SCORES`).
    """
    active = scores[:, list(_ACTIVE)]
    floor = torch.quantile(active, 0.05, dim=0)
    opening = lip_opening(shapes)
    activity = (active - floor).clamp(min=0).sum(1) + 3.0 * opening
    count = min(max(round(REST_SHARE * len(shapes)), REST_FRAMES[0]), REST_FRAMES[1], len(shapes))
    return activity.argsort(stable=True)[:count]


def lip_opening(shapes: Float[Tensor, "*batch points 3"]) -> Float[Tensor, "*batch"]:
    """Mean vertical distance between the inner lips, cm (or the unit of ``shapes``)."""
    upper, lower = list(LIPS_INNER_UPPER[1:-1]), list(LIPS_INNER_LOWER[1:-1])
    return (shapes[..., upper, 1] - shapes[..., lower, 1]).abs().mean(-1)
