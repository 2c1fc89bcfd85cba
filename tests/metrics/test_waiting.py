"""Waits between events: answers known beforehand, and waits that clips cut off."""

import pytest
import torch

from declaim.metrics.functional.waiting import median_wait_s, still_waiting, wait_distance_s, waits


def test_waits_end_with_events_or_with_the_clip():
    assert waits([3, 10, 40], 60) == [(7, True), (30, True), (19, False)]
    assert waits([], 60) == []
    assert waits([59], 60) == [(0, False)]


def test_whole_waits_give_the_plain_distribution():
    shares = still_waiting([(10, True), (20, True), (30, True), (300, True)])
    assert [float(shares[i]) for i in (9, 10, 20, 29, 30, 124)] == pytest.approx([1.0, 0.75, 0.5, 0.5, 0.25, 0.25])
    assert len(shares) == 125
    assert median_wait_s(shares) == pytest.approx(20 / 25)
    assert median_wait_s(still_waiting([(30, True), (200, False), (200, False)])) is None


def test_waits_that_were_cut_off_count_for_as_long_as_they_were_seen():
    """Events every 50 to 100 frames in clips of 75: short waits are seen whole, long ones are cut."""
    generator = torch.Generator().manual_seed(0)
    lasts = torch.randint(50, 101, (4000,), generator=generator)
    seen_for = torch.randint(1, 150, (4000,), generator=generator)
    found = [(min(a, b), a <= b) for a, b in zip(lasts.tolist(), seen_for.tolist(), strict=True)]
    assert median_wait_s(still_waiting(found)) == pytest.approx(75 / 25, abs=0.1)
    assert median_wait_s(still_waiting([w for w in found if w[1]])) < 2.9, "leaving them out makes waits short"


def test_the_distance_of_two_distributions_is_how_far_they_are_shifted():
    one, two = (still_waiting([(k, True), (k + 10, True)]) for k in (20, 35))
    assert wait_distance_s(one, two) == pytest.approx(15 / 25)
    assert wait_distance_s(one, one) == 0
