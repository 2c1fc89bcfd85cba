"""Sound and picture of training clips brought into step: web video is often some frames off.

For every speaker a ridge regression from speech features to the mouth's opening is fitted on the *other* speakers;
the lag at which its prediction follows a clip's true opening best is the clip's offset. Only sure offsets are used.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.nn.ridge import Ridge, deal

MAX_LAG = 8
"""Largest offset looked for, in frames to either side."""
LEAST_FRAMES = 100
"""Shorter clips are left as they are: their best lag is chance."""
LEAST_CORRELATION = 0.4
"""Least correlation at the best lag."""
LEAST_GAIN = 0.03
"""Least gain in correlation over no offset."""
PENALTY = 1000.0


def lag_correlations(
    predicted: Float[Tensor, " frames"], opening: Float[Tensor, " frames"], max_lag: int = MAX_LAG
) -> Float[Tensor, " lags"]:
    """Correlation of ``predicted[t]`` with ``opening[t + lag]`` for lags ``-max_lag .. max_lag``."""
    n = len(predicted)
    found = []
    for lag in range(-max_lag, max_lag + 1):
        a = predicted[max(-lag, 0) : n - max(lag, 0)]
        b = opening[max(lag, 0) : n + min(lag, 0)]
        found.append(torch.corrcoef(torch.stack([a, b]))[0, 1])
    return torch.stack(found).nan_to_num()


def sync_offset(predicted: Float[Tensor, " frames"], opening: Float[Tensor, " frames"]) -> int:
    """Frames by which the picture comes late (negative: early); 0 where that is not sure."""
    if len(predicted) < LEAST_FRAMES:
        return 0
    correlations = lag_correlations(predicted, opening)
    best = int(correlations.argmax())
    sure = correlations[best] >= LEAST_CORRELATION and correlations[best] - correlations[MAX_LAG] >= LEAST_GAIN
    return best - MAX_LAG if sure else 0


def sync_offsets(
    speakers: Sequence[str],
    features: Sequence[Tensor],
    openings: Sequence[Tensor],
    rounds: int = 3,
    folds: int = 8,
) -> list[int]:
    """`sync_offset` of every clip, judged by what other speakers' clips taught.

    Args:
        speakers: of each clip.
        features: speech features of each clip.
        openings: opening of the mouth in each clip, any unit.
        rounds: how often all is repeated with the clips brought into step as far as they are known by then.
        folds: speakers are dealt into this many groups; a group is judged by a fit to the rest.
    """
    inputs, group = _standardised(features), deal(speakers, folds)
    frames: dict[str, int] = defaultdict(int)
    for speaker, opening in zip(speakers, openings, strict=True):
        frames[speaker] += len(opening)
    offsets = [0] * len(speakers)
    for _ in range(rounds):
        ridge, outputs = Ridge(PENALTY), []
        for i, opening in enumerate(openings):
            moved = shifted(opening[:, None], offsets[i])
            outputs.append((moved - moved.mean()) / moved.std().clamp(min=1e-6))
            ridge.add(group[i], inputs[i], outputs[i], (400.0 / frames[speakers[i]]) ** 0.5)
        slopes = {g: ridge.solve(without=g) for g in set(group)}
        for i, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
            found = sync_offset((x @ slopes[group[i]])[:, 0], y[:, 0]) if len(slopes) > 1 else 0
            offsets[i] = max(-MAX_LAG, min(MAX_LAG, offsets[i] + found))
    return offsets


def _standardised(features: Sequence[Tensor]) -> list[Tensor]:
    """Features in standard deviations, a constant column added."""
    pooled = torch.cat(list(features))
    mean, std = pooled.mean(0), pooled.std(0).clamp(min=1e-3)
    return [torch.cat([(f - mean) / std, torch.ones(len(f), 1)], 1) for f in features]


def shifted(motion: Float[Tensor, "frames dim"], offset: int) -> Float[Tensor, "frames dim"]:
    """Motion whose row t was at ``t + offset``; the ends are held."""
    at = (torch.arange(len(motion)) + offset).clamp(0, len(motion) - 1)
    return motion[at]
