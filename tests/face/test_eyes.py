"""Eyes read from points: answers known beforehand."""

import pytest
import torch

from declaim.face import eyes
from declaim.face.layouts import LEFT_EYE_LOWER, LEFT_EYE_UPPER, LEFT_IRIS, RIGHT_EYE_LOWER, RIGHT_EYE_UPPER, RIGHT_IRIS
from declaim.face.model import FaceModel


def test_eye_opening_of_squeezed_lids():
    face = FaceModel.from_pretrained().mean.clone()
    opening = eyes.eye_opening(face)
    assert 0.2 < float(opening) < 0.5
    for upper, lower in ((RIGHT_EYE_UPPER, RIGHT_EYE_LOWER), (LEFT_EYE_UPPER, LEFT_EYE_LOWER)):
        inner_upper, inner_lower = list(upper[1:-1]), list(lower[1:-1])
        middle = (face[inner_upper] + face[inner_lower]) / 2
        face[inner_upper] = middle + (face[inner_upper] - middle) / 2
        face[inner_lower] = middle + (face[inner_lower] - middle) / 2
    assert float(eyes.eye_opening(face)) == pytest.approx(float(opening) / 2, rel=1e-5)


def test_blinks_are_counted_timed_and_measured():
    frames = torch.arange(250).float()
    closure = torch.zeros(250)
    for centre, half in ((40, 3.0), (120, 2.0), (200, 3.0)):
        closure = torch.maximum(closure, 1 - (frames - centre).abs() / (2 * half))
    closure = torch.maximum(closure, 0.25 * (1 - (frames - 160).abs() / 3))  # a flutter: no blink
    found = eyes.blinks(closure)
    assert [b.at_s for b in found] == [40 / 25, 120 / 25, 200 / 25]
    assert [b.duration_s for b in found] == pytest.approx([6 / 25, 4 / 25, 6 / 25], rel=1e-6)


def test_a_look_down_is_no_blink_and_a_blink_at_the_end_counts():
    closure = torch.zeros(100)
    closure[20:60] = 0.8
    assert eyes.blinks(closure) == []
    closure = torch.zeros(100)
    closure[-2:] = torch.tensor([0.6, 1.0])
    assert [b.at_s for b in eyes.blinks(closure)] == [99 / 25]


def test_lid_closure_is_zero_at_the_usual_opening_and_one_when_shut():
    closure = eyes.lid_closure(torch.tensor([0.3, 0.3, 0.3, 0.0, 0.15]))
    torch.testing.assert_close(closure, torch.tensor([0.0, 0.0, 0.0, 1.0, 0.5]))


def looking(*changes, frames=100):
    """A gaze that steps to (x, y) at given frames."""
    look = torch.zeros(frames, 2)
    for frame, x, y in changes:
        look[frame:] = torch.tensor([x, y])
    return look


def test_gaze_is_how_far_the_irises_stand_from_the_middle_of_their_eyes():
    face = FaceModel.from_pretrained().mean.clone()
    rest = eyes.gaze(face)
    face[[*RIGHT_IRIS, *LEFT_IRIS], :2] += torch.tensor([0.1, -0.05])
    torch.testing.assert_close(eyes.gaze(face) - rest, torch.tensor([0.1, -0.05]))
    turned = eyes.gaze(face + torch.tensor([3.0, 2.0, 1.0]))
    torch.testing.assert_close(turned, eyes.gaze(face), atol=1e-5, rtol=0)


def test_shifts_of_gaze_are_found_once_with_their_size():
    look = looking((30, 0.08, 0.0), (60, 0.08, -0.05), (80, 0.09, -0.05))
    look[30] *= 0.5  # on its way
    found = eyes.gaze_shifts(look)
    assert [abs(i - at) <= 1 for i, at in zip(found.frames, (30, 60), strict=True)] == [True, True]
    torch.testing.assert_close(found.moved, torch.tensor([[0.08, 0.0], [0.0, -0.05]]))
    drift = torch.arange(100.0)[:, None] * torch.tensor([0.008, 0.0])
    assert eyes.gaze_shifts(drift).frames == []
    assert eyes.gaze_shifts(look[:3]).frames == []


def test_what_is_read_through_closing_lids_is_no_shift():
    look, closure = looking((50, 0.06, 0.0)), torch.zeros(100)
    for middle in (20, 50):
        closure[middle - 2 : middle + 3] = torch.tensor([0.4, 0.8, 1.0, 0.7, 0.3])
        look[middle - 2 : middle + 3, 1] -= 0.2
    seen = eyes.seen_gaze(look, closure)
    found = eyes.gaze_shifts(seen)
    assert len(found.frames) == 1
    torch.testing.assert_close(found.moved[0], torch.tensor([0.06, 0.0]))
    assert torch.equal(eyes.seen_gaze(look, torch.ones(100)), torch.zeros(100, 2))
