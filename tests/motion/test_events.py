"""Events with known chances: their rate, their independence of the future, and chances found again from events."""

import math

import pytest
import torch

from declaim.motion.event_fit import Watched, expected_rate, fit_odds, speaker_rates, with_rate
from declaim.motion.events import AHEAD, KNOTS_S, LONGEST, REFRACTORY, WARM_UP, contexts, draw_events, time_basis

ODDS = torch.tensor([-5.0, -4.0, -3.0, -3.5, -4.5, -0.6, 1.0])
TALK = torch.ones(60_000, dtype=torch.bool)
NOTHING, ALWAYS = torch.zeros(1, 2), torch.ones(1)


def talking(n_frames, seed=0):
    """Speech with a pause of 5 to 20 frames after every 20 to 60 frames."""
    generator = torch.Generator().manual_seed(seed)
    active = torch.ones(n_frames, dtype=torch.bool)
    at = 0
    while at < n_frames:
        at += int(torch.randint(20, 60, (1,), generator=generator))
        pause = int(torch.randint(5, 20, (1,), generator=generator))
        active[at : at + pause] = False
        at += pause
    return active


def seen(active, odds, seed):
    """The events inside a clip."""
    return [i for i in draw_events(active, odds, seed, stream=2)[0] if i >= 0]


def test_the_curve_goes_through_its_knots():
    basis = time_basis(torch.tensor([1.0, KNOTS_S[1] * 25, math.sqrt(KNOTS_S[1] * KNOTS_S[2]) * 25, 1000.0]))
    expected = torch.tensor([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0.5, 0.5, 0, 0], [0, 0, 0, 0, 1]]).double()
    torch.testing.assert_close(basis, expected)


def test_context_is_silence_and_the_start_of_speech():
    active = torch.tensor([True] * 3 + [False] * 6 + [True] * 5 + [False] * 2 + [True] * 4)
    silence, start = contexts(active).T
    assert torch.equal(silence, (~active).double())
    assert start.nonzero()[:, 0].tolist() == [0, 1, 2, *range(6, 12)]  # a gap of 2 frames starts nothing anew


def test_constant_chance_gives_a_known_mean_interval():
    odds = torch.cat([torch.full((5,), -3.0), NOTHING[0]])
    chance = 1 / (1 + math.exp(3.0))
    assert expected_rate(odds, NOTHING, ALWAYS) == pytest.approx(25 / (REFRACTORY + 1 / chance), rel=1e-6)
    assert expected_rate(with_rate(odds, 0.3, NOTHING, ALWAYS), NOTHING, ALWAYS) == pytest.approx(0.3, rel=1e-4)


def test_events_come_at_the_expected_rate_and_never_too_soon():
    found, _ = draw_events(TALK, ODDS, seed=4, stream=2)
    inside = torch.tensor([i for i in found if i >= 0])
    assert len(inside) * 25 / len(TALK) == pytest.approx(expected_rate(ODDS, NOTHING, ALWAYS), rel=0.1)
    assert int(inside.diff().min()) > REFRACTORY
    assert min(found) >= -WARM_UP
    silent, _ = draw_events(~TALK, ODDS, seed=4, stream=2)
    shy = expected_rate(ODDS, torch.tensor([[1.0, 0.0]]), ALWAYS)
    assert sum(i >= 0 for i in silent) * 25 / len(TALK) == pytest.approx(shy, rel=0.1)


def test_events_of_a_frame_depend_on_speech_up_to_a_bounded_time_ahead():
    active = talking(3000)
    found, draws = draw_events(active, ODDS, seed=1, stream=2, columns=3)
    assert draws.shape == (len(found), 3)
    for cut in (1, 501, 1700):
        short, own = draw_events(active[:cut], ODDS, seed=1, stream=2, columns=3)
        other = active.clone()
        other[cut:] = ~other[cut:]
        changed, _ = draw_events(other, ODDS, seed=1, stream=2, columns=3)
        known = [i for i in found if i < cut - AHEAD]
        assert [i for i in short if i < cut - AHEAD] == known == [i for i in changed if i < cut - AHEAD]
        assert torch.equal(own[: len(known)], draws[: len(known)])
    assert draw_events(active, ODDS, seed=1, stream=3)[0] != found
    assert draw_events(active, ODDS, seed=2, stream=2)[0] != found


def test_chances_are_found_again_from_events():
    watched = []
    for seed in range(8):
        active = talking(8000, seed)
        watched.append(Watched(f"speaker {seed}", seen(active, ODDS, seed), active))
    torch.testing.assert_close(fit_odds(watched)[1:], ODDS[1:], atol=0.35, rtol=0)
    rate = sum(speaker_rates(watched).values()) / 8
    again = sum(len(seen(w.active, fit_odds(watched), 99)) for w in watched)
    assert again / (8 * 8000 / 25) == pytest.approx(rate, rel=0.1)


def test_cut_off_intervals_count_for_what_they_are():
    """Clips of 3 s hold no interval of 4 s, and yet tell the rate; a speaker without events counts as well."""
    odds = torch.cat([torch.full((5,), -4.6), NOTHING[0]])
    clips = [
        Watched(str(s), [i for i in draw_events(TALK[:75], odds, s, 2)[0] if i >= 0], TALK[:75]) for s in range(400)
    ]
    found = fit_odds(clips)
    assert expected_rate(found, NOTHING, ALWAYS) == pytest.approx(expected_rate(odds, NOTHING, ALWAYS), rel=0.12)
    nobody = fit_odds([Watched("still", [], TALK[: 2 * LONGEST])])
    assert expected_rate(nobody, NOTHING, ALWAYS) < 1e-3
