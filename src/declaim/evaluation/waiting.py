"""Figures of blinks and shifts of gaze that are about whole distributions: waits of all clips together."""

from collections.abc import Sequence

from declaim.evaluation.figures import Figure
from declaim.evaluation.judging.actors import PEOPLE
from declaim.evaluation.judging.playing import Made
from declaim.evaluation.judging.scores import WAITS
from declaim.metrics.functional.waiting import median_wait_s, still_waiting, wait_distance_s


def waiting_figures(made: Sequence[Made]) -> dict[str, dict[str, Figure]]:
    """By row and measure: the median wait between blinks and between shifts of gaze, and the distance to people's.

    Args:
        made: of every clip.
    """
    rows = {row for clip in made for row in clip["waits"]}
    figures: dict[str, dict[str, Figure]] = {row: {} for row in rows}
    for kind in WAITS:
        found = {row: [w for clip in made for take in clip["waits"].get(row, []) for w in take[kind]] for row in rows}
        curves = {row: still_waiting((frames, over) for frames, over in own) for row, own in found.items() if own}
        for row, curve in curves.items():
            figures[row][f"{kind}_interval"] = Figure(median_wait_s(curve))
            if PEOPLE in curves:
                figures[row][f"{kind}_interval_distance"] = Figure(wait_distance_s(curve, curves[PEOPLE]))
    return figures
