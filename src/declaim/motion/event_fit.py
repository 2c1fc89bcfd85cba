"""The chances of `declaim.motion.events` learnt from footage."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.motion.events import CONTEXT, KNOTS_S, LONGEST, REFRACTORY, contexts, time_basis
from declaim.timebase import FPS

RIDGE = 1.0
"""Weight of a pull of all log odds to a common value, in events: what footage hardly tells stays moderate."""
NEWTON_STEPS = 12


@dataclass(frozen=True, eq=False)
class Watched:
    """The events that were seen in one clip.

    Attributes:
        speaker: who was watched.
        events: their frames, rising.
        active: frames that hold speech.
    """

    speaker: str
    events: Sequence[int]
    active: Bool[Tensor, " frames"]


def fit_odds(watched: Sequence[Watched]) -> Float[Tensor, " odds"]:
    """Log odds for `declaim.motion.events.draw_events`: logistic regression, then brought to people's mean rate.

    Every frame says whether it held an event, given the frames since the last one, so that intervals which a clip's
    end cuts off count for what they are. Before a clip's first event the last one is long ago. Speakers count by the
    root of their frames in what the odds depend on; in the mean rate each counts the same. The silence before a clip's
    first speech and after its last tells how the clip was cut, not what people do: it is left out.
    """
    rates = speaker_rates(watched)
    frames = _frames_by_speaker(watched)
    rows, outcome, weights = [], [], []
    for clip in watched:
        counted, design, happened = _observations(clip)
        rows.append(design[counted])
        outcome.append(happened[counted])
        weights.append(torch.full((int(counted.sum()),), frames[clip.speaker] ** -0.5, dtype=torch.float64))
    design, happened, weight = torch.cat(rows), torch.cat(outcome), torch.cat(weights)
    weight = weight * (len(weight) / weight.sum())
    odds = _regression(design, happened, weight)
    found, which = torch.unique(design[:, len(KNOTS_S) :], dim=0, return_inverse=True)
    shares = torch.zeros(len(found), dtype=torch.float64).index_add(0, which, weight) / weight.sum()
    return with_rate(odds, sum(rates.values()) / len(rates), found, shares)


def speaker_rates(watched: Sequence[Watched]) -> dict[str, float]:
    """Events a second of every speaker."""
    frames = _frames_by_speaker(watched)
    counts = dict.fromkeys(frames, 0)
    for clip in watched:
        counts[clip.speaker] += len(clip.events)
    return {speaker: counts[speaker] / frames[speaker] * float(FPS) for speaker in frames}


def expected_rate(
    odds: Float[Tensor, " odds"], found: Float[Tensor, "contexts context"], shares: Float[Tensor, " contexts"]
) -> float:
    """Events a second of the process where contexts come by chance: one over the mean interval.

    Args:
        odds: of the process.
        found: the contexts that there are.
        shares: of all frames, each context's; 1 in all.
    """
    curve = time_basis(torch.arange(1, LONGEST + 1).float()) @ odds[: len(KNOTS_S)].double()
    added = found.double() @ odds[len(KNOTS_S) :].double()
    chance = torch.sigmoid(curve[:, None] + added) @ shares.double()
    chance[:REFRACTORY] = 0.0
    waiting = torch.cat([torch.ones(1, dtype=torch.float64), (1 - chance).cumprod(0)])
    return float(FPS) / float(waiting[:LONGEST].sum() + waiting[LONGEST] / chance[-1])


def with_rate(
    odds: Float[Tensor, " odds"],
    rate: float,
    found: Float[Tensor, "contexts context"],
    shares: Float[Tensor, " contexts"],
) -> Float[Tensor, " odds"]:
    """``odds`` with all chances shifted so that ``rate`` events a second are expected; as `expected_rate`."""
    low, high = -20.0, 20.0
    level = torch.cat([torch.ones(len(KNOTS_S)), torch.zeros(len(CONTEXT))]).double()
    for _ in range(60):
        middle = (low + high) / 2
        if expected_rate(odds + middle * level, found, shares) < rate:
            low = middle
        else:
            high = middle
    return (odds + low * level).float()


def _frames_by_speaker(watched: Sequence[Watched]) -> dict[str, int]:
    frames: dict[str, int] = {}
    for clip in watched:
        frames[clip.speaker] = frames.get(clip.speaker, 0) + len(clip.active)
    return frames


def _observations(
    clip: Watched,
) -> tuple[Bool[Tensor, " frames"], Float[Tensor, "frames odds"], Float[Tensor, " frames"]]:
    """Which frames count, what their chance depends on, and whether they held an event."""
    n = len(clip.active)
    happened = torch.zeros(n, dtype=torch.float64)
    happened[list(clip.events)] = 1.0
    last = torch.cummax(torch.where(happened > 0, torch.arange(n), -LONGEST), 0).values
    since = torch.arange(n) - torch.cat([torch.tensor([-LONGEST]), last[:-1]])
    speech = clip.active.nonzero()[:, 0]
    inside = torch.zeros(n, dtype=torch.bool)
    if len(speech):
        inside[int(speech[0]) : int(speech[-1]) + 1] = True
    design = torch.cat([time_basis(since.float()), contexts(clip.active)], 1)
    return inside & (since > REFRACTORY), design, happened


def _regression(
    design: Float[Tensor, "rows odds"], happened: Float[Tensor, " rows"], weight: Float[Tensor, " rows"]
) -> Float[Tensor, " odds"]:
    """Weighted logistic regression by Newton's method with a small ridge around the overall log odds."""
    overall = torch.logit((weight * happened).sum() / weight.sum(), eps=1e-4)
    prior = torch.cat([overall.expand(len(KNOTS_S)), torch.zeros(len(CONTEXT), dtype=torch.float64)])
    odds = prior.clone()
    for _ in range(NEWTON_STEPS):
        chance = torch.sigmoid(design @ odds)
        gradient = design.T @ (weight * (happened - chance)) - RIDGE * (odds - prior)
        curvature = design.T @ (design * (weight * chance * (1 - chance))[:, None]) + RIDGE * torch.eye(len(odds))
        odds = odds + torch.linalg.solve(curvature, gradient)
    return odds
