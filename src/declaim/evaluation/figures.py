"""From the scores of every clip to figures: each speaker one vote, bootstrap over speakers, spread over seeds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from declaim.evaluation.judging.scores import Scores
from declaim.evaluation.measures import Measure

DRAWS = 10_000
"""Bootstrap resamples of the speakers, always with the same random numbers."""
UNKNOWN = "unknown"
"""Language of clips that name none."""


@dataclass(frozen=True)
class Record:
    """Scores of one take of one clip in one row of the table."""

    row: str
    clip: str
    speaker: str
    language: str
    seed: int
    scores: Scores


@dataclass(frozen=True)
class Figure:
    """One number of the table.

    Attributes:
        value: the figure; None where nothing could be measured.
        low: lower end of the 95 % interval over speakers.
        high: upper end.
        speakers: how many speakers have a value.
        clips: how many clips.
        seeds: the figure of each seed alone.
        by_speaker: of each speaker alone.
        by_language: of each language alone.
        by_footage: GRID's speakers, who say short commands and hold still, and all others.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    speakers: int = 0
    clips: int = 0
    seeds: tuple[float, ...] = ()
    by_speaker: dict[str, float] | None = None
    by_language: dict[str, float] | None = None
    by_footage: dict[str, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, five significant digits."""
        found = {"value": self.value, "low": self.low, "high": self.high, "speakers": self.speakers,
                 "clips": self.clips, "seeds": list(self.seeds), "by_speaker": self.by_speaker,
                 "by_language": self.by_language, "by_footage": self.by_footage}  # fmt: skip
        return {key: rounded(value) for key, value in found.items() if value not in (None, [], {})}


def rounded(value: Any) -> Any:
    """Floats to five significant digits, in lists and dictionaries too: enough for any table, small in files."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else value


def figure(measure: Measure, records: Sequence[Record]) -> Figure:
    """A measure's figure over the records of one row."""
    parts = fractions(measure, records)
    if not parts:
        return Figure(None)
    tops, bottoms = (np.array([pair[k] for pair in parts.values()]) for k in (0, 1))
    value = _quotient(float(tops.sum()), float(bottoms.sum()))
    low, high = interval(tops, bottoms)
    counted = {r.clip for r in records if r.scores.get(measure.score) is not None}
    seeds = sorted({r.seed for r in records})
    return Figure(
        value, low, high, len(parts), len(counted),
        tuple(_total(measure, [r for r in records if r.seed == s]) for s in seeds) if len(seeds) > 1 else (),
        {s: q for s, (a, b) in parts.items() if (q := _quotient(a, b)) is not None},
        _grouped(measure, records, lambda r: r.language),
        _grouped(measure, records, lambda r: "GRID" if "grid" in r.speaker.lower() else "others"),
    )  # fmt: skip


def fractions(measure: Measure, records: Iterable[Record]) -> dict[str, tuple[float, float]]:
    """Each speaker's share of the figure: what it adds above and below the fraction line."""
    above, below = defaultdict(list), defaultdict(list)
    for r in records:
        top = r.scores.get(measure.score)
        bottom = r.scores.get(measure.over) if measure.over else 1.0
        if top is not None and bottom is not None and np.isfinite(top):
            above[r.speaker].append(top)
            below[r.speaker].append(bottom)
    reduce = np.sum if measure.pooled else np.mean
    return {s: (float(reduce(above[s])), float(reduce(below[s]))) for s in sorted(above)}


def interval(tops: np.ndarray, bottoms: np.ndarray, level: float = 0.95) -> tuple[float | None, float | None]:
    """Percentile bootstrap of a quotient of sums, speakers drawn with replacement; None for a single speaker."""
    if len(tops) < 2:
        return None, None
    picks = np.random.default_rng(0).integers(len(tops), size=(DRAWS, len(tops)))
    bottom = bottoms[picks].sum(1)
    drawn = tops[picks].sum(1)[bottom > 0] / bottom[bottom > 0]
    if not len(drawn):
        return None, None
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _quotient(top: float, bottom: float) -> float | None:
    return float(top / bottom) if bottom else None


def _total(measure: Measure, records: Sequence[Record]) -> float:
    parts = fractions(measure, records)
    found = _quotient(sum((a for a, _ in parts.values()), 0.0), sum((b for _, b in parts.values()), 0.0))
    return float("nan") if found is None else found


def _grouped(measure: Measure, records: Sequence[Record], key: Any) -> dict[str, float]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        groups[key(r)].append(r)
    totals = {name: _total(measure, group) for name, group in sorted(groups.items())}
    return {name: total for name, total in totals.items() if np.isfinite(total)}
