"""One sentence about a method: what it does well, what not, beside people and the floor."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from declaim.evaluation.figures import Figure
from declaim.evaluation.judging.actors import MEAN_FACE, OTHER_SPEECH, PEOPLE, Row
from declaim.evaluation.measures import Measure


@dataclass(frozen=True)
class Beside:
    """Figures of one measure that targets refer to: real people's, and the mean face's."""

    people: Figure
    mean_face: Figure

    @classmethod
    def of(cls, figures: Mapping[str, Mapping[str, Figure]], key: str) -> "Beside":
        """A measure's, of all rows' figures."""
        return cls(figures[PEOPLE][key], figures[MEAN_FACE][key])


def target(measure: Measure, beside: Beside) -> tuple[float, float] | None:
    """Least and greatest acceptable value of generated motion; None without a target, or without what it refers to."""
    own, still = beside.people.value, beside.mean_face.value
    if own is None and (measure.low_of_people, measure.high_of_people, measure.off_people) != (None, None, None):
        return None
    if still is None and measure.high_of_mean_face is not None:
        return None
    low, high = [measure.low], [measure.high]
    if own is not None:
        low += [_times(measure.low_of_people, own), None if measure.off_people is None else own - measure.off_people]
        high += [_times(measure.high_of_people, own), None if measure.off_people is None else own + measure.off_people]
    if still is not None:
        high.append(_times(measure.high_of_mean_face, still))
    lowest, highest = [x for x in low if x is not None], [x for x in high if x is not None]
    if not lowest and not highest:
        return None
    return max(lowest, default=-math.inf), min(highest, default=math.inf)


def _times(factor: float | None, value: float) -> float | None:
    return None if factor is None else factor * value


def is_met(measure: Measure, value: Figure, beside: Beside) -> bool | None:
    """Whether a figure meets its target; None without a target or without a figure."""
    wanted = target(measure, beside)
    if wanted is None or value.value is None:
        return None
    return wanted[0] <= value.value <= wanted[1]


def verdict(
    row: Row, rows: Sequence[Row], figures: Mapping[str, Mapping[str, Figure]], chosen: Sequence[Measure]
) -> str:
    """The sentence about one method's row."""
    own, people = figures[row.key], figures[PEOPLE]
    floor = figures.get(row.key + OTHER_SPEECH, {})
    outcome = {m: met for m in chosen if (met := is_met(m, own[m.key], Beside.of(figures, m.key))) is not None}
    said = []
    if (r := own.get("mouth_correlation")) is not None and r.value is not None:
        about = "" if r.low is None else f", 95 % interval {r.low:.2f} to {r.high:.2f}"
        chance = floor.get("mouth_correlation")
        beside = "" if chance is None or chance.value is None else f"; another's speech {chance.value:.2f}"
        said.append(
            f"its mouth follows people's with a correlation of {r.value:.2f} ({r.speakers} speakers{about}{beside})"
        )
    if (d := own.get("lse_d")) is not None and d.value is not None and people["lse_d"].value is not None:
        said.append(f"LSE-D is {d.value:.2f} (people {people['lse_d'].value:.2f})")
    if (c := own.get("closures")) is not None and c.value is not None:
        said.append(f"lips close on {100 * c.value:.0f} % of p, b and m")
    if (h := own.get("amplitude_rotation")) is not None and h.value is not None:
        said.append(f"the head moves {h.value:.2f} times as much as people's")
    missed = [m.title for m, met in outcome.items() if not met]
    targets = f"{sum(outcome.values())} of {len(outcome)} targets are met"
    tail = targets + (f" (missed: {', '.join(missed)})" if missed else "")
    return f"{row.title}: {', '.join(said)}; {tail}." if said else f"{row.title}: {tail}."
