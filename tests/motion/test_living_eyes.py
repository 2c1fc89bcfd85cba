"""Blinks and gaze that are drawn, and what is measured of people's."""

from dataclasses import replace

import pytest
import torch

from declaim.face.anatomy import Anatomy
from declaim.face.eyes import blinks, eye_opening, gaze, gaze_shifts, lid_closure, seen_gaze
from declaim.face.mirror import expression_mirror
from declaim.face.model import FaceModel
from declaim.methods.fd2talk import FD2Talk
from declaim.motion.blinks import STRETCH_LIMITS, lid_curve, reach_frames
from declaim.motion.eyes import living_eyes
from declaim.motion.gaze import fixations, held_on_viewer
from declaim.motion.measure_eyes import measure_eyes

COURSE = torch.tensor([0.0, 0.5, 1.0, 0.5, 0.0])
STILL = torch.zeros(2)


@pytest.fixture(scope="module")
def model():
    return FaceModel.from_pretrained()


@pytest.fixture(scope="module")
def eyes():
    """As they ship."""
    return FD2Talk.from_pretrained().normalizer.eyes


def test_a_blink_takes_its_course_at_its_pace():
    plain = lid_curve(20, [10], torch.zeros(1, 2), COURSE, STILL)
    assert plain.nonzero()[:, 0].tolist() == [9, 10, 11]
    torch.testing.assert_close(plain[8:13], COURSE)
    slow = lid_curve(20, [10], torch.zeros(1, 2), COURSE, torch.tensor([2.0, 0.0]).log().nan_to_num(neginf=0.0))
    torch.testing.assert_close(slow[6:15], torch.tensor([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0]))
    assert reach_frames(len(COURSE)) == 2 * STRETCH_LIMITS[1]
    at_the_ends = lid_curve(20, [-1, 19, 40, -40], torch.zeros(4, 2), COURSE, STILL)
    assert at_the_ends.nonzero()[:, 0].tolist() == [0, 18, 19]


def test_blinks_never_shut_the_lids_further_together_than_one_alone():
    draws = 3 * torch.randn(2, 2, generator=torch.Generator().manual_seed(0))
    both = lid_curve(40, [18, 20], draws, COURSE, torch.tensor([0.0, 0.5]))
    alone = [lid_curve(40, [18], draws[:1], COURSE, torch.tensor([0.0, 0.5])),
             lid_curve(40, [20], draws[1:], COURSE, torch.tensor([0.0, 0.5]))]  # fmt: skip
    assert torch.equal(both, torch.maximum(*alone))
    assert float(both.max()) <= 1.1001


def test_gaze_rests_between_quick_shifts():
    draws = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 2.1]])
    look = fixations(40, [-5, 10, 20], draws, torch.tensor([0.04, 0.03]))
    torch.testing.assert_close(look[:10], torch.tensor([[0.04, 0.0]]).expand(10, 2))
    torch.testing.assert_close(look[10:12], torch.tensor([[0.032, 0.012], [0.008, 0.048]]))
    torch.testing.assert_close(look[12:20], torch.tensor([[0.0, 0.06]]).expand(8, 2))
    torch.testing.assert_close(look[30], torch.tensor([0.0, 0.09]))  # a shift is a shift: at least .03 cm


def test_gaze_turns_against_the_head(eyes):
    rotation = torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.3]])
    held = held_on_viewer(rotation, torch.tensor([-0.6, 0.1]))
    torch.testing.assert_close(held, torch.tensor([[0.0, 0.01], [-0.12, 0.0], [0.0, 0.0]]))
    assert -1.2 < float(eyes.gaze_gain[0]) < -0.3  # people's; 1.2 would be the whole angle
    talk = torch.ones(50, dtype=torch.bool)
    aside = torch.zeros(50, 3)
    aside[:, 1] = 0.2
    moved = living_eyes(aside, talk, eyes, 0) - living_eyes(torch.zeros(50, 3), talk, eyes, 0)
    torch.testing.assert_close((moved @ eyes.gaze_reading)[:, 0], (0.2 * eyes.gaze_gain[0]).expand(50))


def test_eyes_of_a_longer_clip_begin_the_same_and_depend_little_on_the_future(eyes):
    active = torch.rand(800, generator=torch.Generator().manual_seed(0)) > 0.3
    turns = 0.1 * torch.randn(800, 3, generator=torch.Generator().manual_seed(1))
    whole = living_eyes(turns, active, eyes, 7)
    assert torch.equal(whole, living_eyes(turns, active, eyes, 7))
    assert not torch.equal(whole, living_eyes(turns, active, eyes, 8))
    for cut in (100, 433):
        part = living_eyes(turns[:cut], active[:cut], eyes, 7)
        sure = cut - eyes.ahead
        torch.testing.assert_close(part[:sure], whole[:sure], atol=1e-6, rtol=0)
    assert eyes.ahead <= 15


def test_drawn_eyes_have_peoples_statistics(eyes, model):
    """Of 33 training speakers: 22 blinks and 85 shifts of gaze a minute, blinks of .20 s, shifts of .6 mm."""
    n = 25 * 600
    b = living_eyes(torch.zeros(n, 3), torch.ones(n, dtype=torch.bool), eyes, 3)
    points = model.points(b)
    closure = lid_closure(eye_opening(points))
    found = blinks(closure)
    shifts = gaze_shifts(seen_gaze(gaze(points), closure))
    assert len(found) / 10 == pytest.approx(22, rel=0.25)
    assert sum(blink.duration_s for blink in found) / len(found) == pytest.approx(0.20, rel=0.15)
    assert len(shifts.frames) / 10 == pytest.approx(85, rel=0.25)
    assert float(shifts.moved.norm(dim=1).mean()) == pytest.approx(0.06, rel=0.25)
    assert float((b @ eyes.gaze_reading).median(0).values.abs().max()) < 0.01
    silent = living_eyes(torch.zeros(n, 3), torch.zeros(n, dtype=torch.bool), eyes, 3)
    living = blinks(lid_closure(eye_opening(model.points(silent))))
    assert 8 < len(living) / 10 < len(found) / 10


def test_taking_gaze_out_is_a_projection_that_leaves_lips(eyes, model):
    b = torch.randn(20, 64)
    straight = eyes.without_gaze(b)
    torch.testing.assert_close(straight @ eyes.gaze_reading, torch.zeros(20, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(eyes.without_gaze(straight), straight, atol=1e-5, rtol=1e-5)
    lips = Anatomy.of(model).lip_basis
    torch.testing.assert_close(straight @ lips, b @ lips, atol=1e-4, rtol=1e-4)


class Watched:
    """A clip whose eyes blink and look around as ``eyes`` says, while the head turns."""

    def __init__(self, speaker, eyes, seed, frames=1500):
        generator = torch.Generator().manual_seed(seed)
        self.speaker = speaker
        rotation = torch.zeros(frames, 3)
        rotation[:, 1] = 0.1 * torch.sin(torch.arange(frames) / 20)
        rotation[:, 0] = 0.1 * torch.sin(torch.arange(frames) / 33)
        self.speaking = torch.rand(frames, generator=generator) > 0.2
        b = living_eyes(rotation, self.speaking, eyes, seed)
        self.motion = torch.cat([b, rotation, torch.zeros(frames, 3)], 1)
        self.valid = torch.ones(frames, dtype=torch.bool)


def test_measuring_drawn_eyes_finds_what_they_were_drawn_from(eyes, model):
    drawn = replace(eyes, gaze_gain=torch.tensor([-0.5, 0.3]), gaze_spread=torch.tensor([0.06, 0.05]))
    clips = [Watched(str(seed), drawn, seed) for seed in range(6)]
    found = measure_eyes(clips, model, Anatomy.of(model), expression_mirror(model))
    torch.testing.assert_close(found.gaze_gain, drawn.gaze_gain, atol=0.06, rtol=0)
    torch.testing.assert_close(found.gaze_spread, drawn.gaze_spread, atol=0.01, rtol=0)
    for name in ("gaze_directions", "blink_direction"):
        assert float(torch.cosine_similarity(getattr(found, name), getattr(drawn, name), dim=0).min()) > 0.95
    assert float(found.blink_stretch.exp()[0]) == pytest.approx(float(drawn.blink_stretch.exp()[0]), rel=0.35)
    torch.testing.assert_close(found.gaze_reading, gaze(model.expression_basis))
