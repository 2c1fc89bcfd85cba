"""Sound and picture of training clips brought into step: web video is often some frames off.

For every speaker a ridge regression from speech features to the mouth's opening is fitted on the *other* speakers;
the lag at which its prediction follows a clip's true opening best is the clip's offset. Only sure offsets are used.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

MAX_LAG = 8
"""Largest offset looked for, in frames to either side."""
LEAST_FRAMES = 100
"""Shorter clips are left as they are: their best lag is chance."""
LEAST_CORRELATION = 0.4
"""Least correlation at the best lag."""
LEAST_GAIN = 0.03
"""Least gain in correlation over no offset."""


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
    inputs = _standardised(features)
    dealt = np.random.default_rng(0).permutation(sorted(set(speakers))).tolist()
    group = [dealt.index(s) % folds for s in speakers]
    offsets = [0] * len(speakers)
    for _ in range(rounds):
        moved = [shifted(o[:, None], k)[:, 0] for o, k in zip(openings, offsets, strict=True)]
        outputs = [(o - o.mean()) / o.std().clamp(min=1e-6) for o in moved]
        slopes = _slopes(speakers, inputs, outputs, group)
        for i, (x, o) in enumerate(zip(inputs, outputs, strict=True)):
            offsets[i] = max(-MAX_LAG, min(MAX_LAG, offsets[i] + sync_offset(x @ slopes[group[i]], o)))
    return offsets


def _slopes(
    speakers: Sequence[str],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    group: Sequence[int],
    penalty: float = 300.0,
) -> dict[int, Float[Tensor, " features"]]:
    """For every group of speakers, the ridge regression fitted on all others; speakers count by the root of length."""
    dim = inputs[0].shape[1]
    frames: dict[str, int] = defaultdict(int)
    for speaker, output in zip(speakers, outputs, strict=True):
        frames[speaker] += len(output)
    normal = {g: torch.zeros(dim, dim, dtype=torch.float64) for g in set(group)}
    moment = {g: torch.zeros(dim, dtype=torch.float64) for g in set(group)}
    for speaker, x, y, g in zip(speakers, inputs, outputs, group, strict=True):
        weighted = x.double().T * (400.0 / frames[speaker]) ** 0.5
        normal[g] += weighted @ x.double()
        moment[g] += weighted @ y.double()
    ridge = penalty * torch.eye(dim, dtype=torch.float64)
    slopes = {}
    for g in set(group):
        others = [h for h in normal if h != g]
        gram = sum((normal[h] for h in others), ridge)
        target = sum((moment[h] for h in others), torch.zeros(dim, dtype=torch.float64))
        slopes[g] = torch.linalg.solve(gram, target).float()
    return slopes


def _standardised(features: Sequence[Tensor]) -> list[Tensor]:
    """Features in standard deviations, a constant column added."""
    pooled = torch.cat(list(features))
    mean, std = pooled.mean(0), pooled.std(0).clamp(min=1e-3)
    return [torch.cat([(f - mean) / std, torch.ones(len(f), 1)], 1) for f in features]


def shifted(motion: Float[Tensor, "frames dim"], offset: int) -> Float[Tensor, "frames dim"]:
    """Motion whose row t was at ``t + offset``; the ends are held."""
    at = (torch.arange(len(motion)) + offset).clamp(0, len(motion) - 1)
    return motion[at]
