"""Targets beside people's own values, and takes whose random numbers are their clip's own."""

import math

import pytest

from declaim.data.corpus import ClipRecord
from declaim.evaluation.figures import Figure
from declaim.evaluation.measures import Measure, measures
from declaim.evaluation.protocol import take_seed
from declaim.evaluation.verdict import Beside, is_met, target
from declaim.evaluation.waiting import waiting_figures


def beside(people=None, mean_face=None):
    return Beside(Figure(people), Figure(mean_face))


def measure(**bounds):
    return Measure("m", "m", "eyes", "", "people", **bounds)


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        ({}, None),
        ({"low": 0.7}, (0.7, math.inf)),
        ({"low_of_people": 0.85}, (1.7, math.inf)),
        ({"low_of_people": 0.5, "high_of_people": 2.0}, (1.0, 4.0)),
        ({"off_people": 0.05}, (1.95, 2.05)),
        ({"high": 3.0, "high_of_people": 2.0}, (-math.inf, 3.0)),
        ({"high_of_mean_face": 0.8}, (-math.inf, 4.0)),
        ({"high_of_people": 1.5, "high_of_mean_face": 0.8}, (-math.inf, 3.0)),
    ],
)
def test_targets_are_bounds_or_lie_beside_people(bounds, wanted):
    found = target(measure(**bounds), beside(2.0, 5.0))
    assert found == (None if wanted is None else pytest.approx(wanted))


def test_without_the_other_rows_value_there_is_no_target_beside_it():
    assert target(measure(off_people=0.05), beside(None, 1.0)) is None
    assert target(measure(high_of_mean_face=0.8), beside(1.0, None)) is None
    assert is_met(measure(off_people=0.05), Figure(0.5), beside()) is None
    assert is_met(measure(off_people=0.05), Figure(0.54), beside(0.5)) is True
    assert is_met(measure(low_of_people=0.85), Figure(0.4), beside(0.5)) is False
    assert is_met(measure(high_of_mean_face=0.8), Figure(0.81), beside(0.0, 1.0)) is False


def test_the_targets_that_are_asked_for():
    found = {m.key: m for m in measures(pictures=False)}
    around = beside(0.5, 2.0)
    assert target(found["lse_c"], around) == (pytest.approx(0.425), math.inf)
    assert target(found["beat_align"], around) == pytest.approx((0.45, 0.55))
    for key in ("amplitude_rotation", "head_speed_median", "head_speed_p90"):
        assert target(found[key], around) == (0.75, 1.25)
    for key in ("lve_head", "mod_head"):
        assert target(found[key], around) == (-math.inf, pytest.approx(1.6))
    assert not is_met(found["diversity_takes"], Figure(0.0), around)


def test_every_clip_has_random_numbers_of_its_own():
    clips = [ClipRecord(name=name, speaker="s", split="eval", frames=75, files={}) for name in "ab"]
    seeds = {take_seed(seed, clip) for seed in (0, 1) for clip in clips}
    assert len(seeds) == 4
    assert take_seed(0, clips[0]) == take_seed(0, clips[0])


def test_waits_of_all_clips_make_one_distribution():
    made = [
        {"waits": {"people": [{"blink": [(50, True), (10, False)], "gaze": []}], "m": [{"blink": [], "gaze": []}]}},
        {"waits": {"people": [{"blink": [(50, True)], "gaze": []}], "m": [{"blink": [(25, True)], "gaze": []}]}},
    ]
    found = waiting_figures(made)
    assert found["people"]["blink_interval"].value == pytest.approx(2.0)
    assert found["m"]["blink_interval_distance"].value == pytest.approx(1.0)
    assert "gaze_interval" not in found["people"]
