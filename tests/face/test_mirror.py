import numpy as np
import torch

from declaim.face.layouts import ARKIT_NAMES, FACE64, LEFT_EYE, LEFT_IRIS, MIRROR, RIGHT_EYE, RIGHT_IRIS
from declaim.face.mirror import (
    expression_mirror,
    mirror_arkit,
    mirror_motion,
    mirror_pixels,
    mirror_points,
    mirror_rotation,
    mirror_translation,
)
from declaim.face.rotations import matrix_from_axis_angle
from declaim.types import Motion


def test_partners_are_mutual_and_on_the_other_side():
    assert sorted(MIRROR) == list(range(478))
    assert all(MIRROR[MIRROR[i]] == i for i in range(478))
    assert {MIRROR[i] for i in LEFT_EYE} == set(RIGHT_EYE)
    assert {MIRROR[i] for i in LEFT_IRIS} == set(RIGHT_IRIS)


def test_mirroring_twice_changes_nothing(model):
    generator = torch.Generator().manual_seed(0)
    motion = Motion(torch.randn(30, 70, generator=generator), FACE64, arkit=torch.rand(30, 52, generator=generator))
    twice = mirror_motion(mirror_motion(motion, model), model)
    assert (twice.values - motion.values).abs().max() < 1e-4
    assert torch.equal(twice.arkit, motion.arkit)


def test_the_span_of_expressions_is_closed_under_mirroring(model):
    b = torch.randn(10, 64, generator=torch.Generator().manual_seed(1))
    mirrored = model.offsets(b @ expression_mirror(model))
    assert (mirrored - mirror_points(model.offsets(b))).abs().max() < 0.02  # cm; half precision


def test_pose_and_shape_mirror_together():
    generator = torch.Generator().manual_seed(2)
    shape, rotation = torch.randn(478, 3, generator=generator), torch.randn(3, generator=generator)
    translation = torch.randn(3, generator=generator)
    placed = shape @ matrix_from_axis_angle(rotation).T + translation
    again = mirror_points(shape) @ matrix_from_axis_angle(mirror_rotation(rotation)).T + mirror_translation(translation)
    assert torch.allclose(mirror_points(placed), again, atol=1e-5)


def test_left_and_right_coefficients_change_places():
    scores = torch.arange(52.0)
    mirrored = mirror_arkit(scores)
    assert mirrored[ARKIT_NAMES.index("eyeBlinkLeft")] == ARKIT_NAMES.index("eyeBlinkRight")
    assert mirrored[ARKIT_NAMES.index("jawOpen")] == ARKIT_NAMES.index("jawOpen")
    assert mirrored[ARKIT_NAMES.index("mouthLeft")] == ARKIT_NAMES.index("mouthRight")


def test_the_tracker_agrees_on_a_mirrored_picture(tracker, astronaut):
    points = tracker.portrait_face(astronaut).points
    mirrored = tracker.portrait_face(np.ascontiguousarray(astronaut[:, ::-1])).points
    error = (mirror_pixels(points, 512) - mirrored)[:, :2].norm(dim=1)
    assert error.mean() < 2  # pixels, of a face 105 high
