"""A person's rest shape from tracked video: the face in the frames in which it does least, with the lips closed."""

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
CLOSED_QUANTILE = 0.03
"""Share of a clip's frames in which the lips are taken to be closed: about the share of p, b and m in speech."""
CLOSED_CM = (0.02, 0.25)
"""Least and greatest opening of a closed mouth: the tracker sees closed lips 0 to 0.25 cm apart, by person.

Measured as the 1 % quantile of the opening over the speakers of the fit, nearly all of whom say p, b or m or keep
silent. Lips that are pressed together overlap; at rest they only touch.
"""


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
    activity = (active - floor).clamp(min=0).sum(1) + 3.0 * lip_opening(shapes)
    count = min(max(round(REST_SHARE * len(shapes)), REST_FRAMES[0]), REST_FRAMES[1], len(shapes))
    return activity.argsort(stable=True)[:count]


def lip_opening(shapes: Float[Tensor, "*batch points 3"]) -> Float[Tensor, "*batch"]:
    """Mean vertical distance of the inner lips, cm (or the unit of ``shapes``); linear, so below 0 if they overlap."""
    upper, lower = list(LIPS_INNER_UPPER[1:-1]), list(LIPS_INNER_LOWER[1:-1])
    return (shapes[..., upper, 1] - shapes[..., lower, 1]).mean(-1)


def closed_opening(shapes: Float[Tensor, "frames points 3"]) -> float:
    """The opening in cm at which the tracker sees this person's lips when they are closed."""
    opening = float(torch.quantile(lip_opening(shapes), CLOSED_QUANTILE))
    return min(max(opening, CLOSED_CM[0]), CLOSED_CM[1])


def with_lips_at(
    rest: Float[Tensor, "points 3"], opening: float, expression_basis: Float[Tensor, "expression points 3"]
) -> Float[Tensor, "points 3"]:
    """``rest`` with its lips brought down to ``opening`` (cm) by the most probable expression; never opened further.

    Under the prior ``b ~ N(0, 1)`` the most probable b with a given (linear) opening is parallel to that opening's
    gradient: the jaw and the cheeks go along as they do in speech.
    """
    excess = lip_opening(rest) - opening
    if excess <= 0:
        return rest
    gradient = lip_opening(expression_basis)
    expression = excess * gradient / gradient.square().sum()
    change: Tensor = expression @ expression_basis.flatten(1)
    return rest - change.reshape(rest.shape)
