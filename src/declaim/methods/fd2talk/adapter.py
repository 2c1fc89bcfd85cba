"""A linear guess of the lips from speech, fitted in closed form: all that the transformers hear.

Deviation: the paper's transformers hear the speech encoder itself. With half an hour of footage they learn its hundreds
of channels by heart; a ridge regression does not. On held-out training speakers outside GRID it follows the mouth with
a correlation of .70 where transformers on the full features reach .65 to .70, the less the longer they are trained.
The transformers are trained on guesses about speakers that the regression did not see (cross-fitting), because at
inference nobody is known to it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.audio.prosody import PROSODY_DIM
from declaim.nn.ridge import Ridge, deal

PENALTY = 3000.0
"""Ridge penalty in weighted frames: of 300, 3000 and 5000 the better ones on held-out training speakers."""
FOLDS = 8
CLOSED_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Adapted:
    """`adapt`'s result: the map for strangers, and what every training clip's own speaker-free map makes of it.

    Attributes:
        projection: normalised features (without prosody) and prosody to guesses.
        heard: guesses for every clip, each from a fit to other speakers.
    """

    projection: Float[Tensor, "features heard"]
    heard: list[Tensor]


def lip_labels(
    lips: Float[Tensor, "frames directions"], opening: Float[Tensor, " frames"]
) -> Float[Tensor, "frames labels"]:
    """What is guessed: the lips' coordinates, whether they are closed, and how fast the mouth moves."""
    low, high = torch.quantile(opening, 0.02), torch.quantile(opening, 0.98)
    closed = (opening - low < CLOSED_SHARE * (high - low)).float()
    speed = torch.nn.functional.pad((opening[2:] - opening[:-2]).abs(), (1, 1)) if len(opening) > 2 else closed * 0.0
    return torch.cat([lips, closed[:, None], speed[:, None]], 1)


def adapt(speakers: Sequence[str], features: Sequence[Tensor], labels: Sequence[Tensor], folds: int = FOLDS) -> Adapted:
    """Fit the map.

    Args:
        speakers: of each clip.
        features: normalised speech features of each clip; the last columns are prosody and are passed on as they are.
        labels: `lip_labels` of each clip.
        folds: speakers are dealt into this many groups for cross-fitting.
    """
    pooled = torch.cat(list(labels))
    mean, std = pooled.mean(0), pooled.std(0).clamp(min=1e-6)
    frames: dict[str, int] = defaultdict(int)
    for speaker, label in zip(speakers, labels, strict=True):
        frames[speaker] += len(label)
    group, ridge = deal(speakers, folds), Ridge(PENALTY)
    for speaker, x, y, g in zip(speakers, features, labels, group, strict=True):
        ridge.add(g, x, (y - mean) / std, (400.0 / frames[speaker]) ** 0.5)
    held_out = {g: _with_prosody(ridge.solve(without=g)) for g in set(group)}
    heard = [x @ held_out[g] for x, g in zip(features, group, strict=True)]
    scale = torch.cat(heard).std(0).clamp(min=1e-6)
    return Adapted(_with_prosody(ridge.solve()) / scale, [h / scale for h in heard])


def _with_prosody(slopes: Float[Tensor, "features labels"]) -> Float[Tensor, "features heard"]:
    """The slopes with columns that pass the prosody channels on."""
    passed = torch.eye(len(slopes))[:, -PROSODY_DIM:]
    return torch.cat([slopes, passed], 1)
