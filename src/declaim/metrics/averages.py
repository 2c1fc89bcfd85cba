"""Averages that give every speaker one vote, and their uncertainty."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np


def by_speaker(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Mean of each speaker's values, from (speaker, value) pairs: one clip, one value."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for speaker, value in values:
        groups[speaker].append(value)
    return {speaker: float(np.mean(group)) for speaker, group in sorted(groups.items())}


def interval(values: Iterable[float], level: float = 0.95, draws: int = 10_000) -> tuple[float, float]:
    """Bootstrap interval of the mean: speakers drawn with replacement, always with the same random numbers.

    Args:
        values: one per speaker.
        level: probability that the interval is meant to cover.
        draws: resamples.
    """
    data = np.asarray(list(values), np.float64)
    picks = np.random.default_rng(0).integers(len(data), size=(draws, len(data)))
    low, high = np.quantile(data[picks].mean(1), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
