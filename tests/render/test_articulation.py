import numpy as np
import pytest

from declaim.face.layouts import LIPS_INNER_LOWER, LIPS_INNER_UPPER
from declaim.render.articulation import LIP_PAIRS, Aperture, Articulation, lid_opening


@pytest.fixture(scope="module")
def mean(model):
    return model.mean.double().numpy()


def test_set_gaps_sets_exactly_the_gaps(mean):
    lips = Aperture.of(LIP_PAIRS, mean, 1.0, 0.4)
    wanted = np.linspace(0, 1, 9)[None]
    moved = lips.set_gaps(mean[None], wanted, np.zeros((1, 9)))
    assert np.allclose(lips.gaps(moved), wanted)
    assert np.allclose(moved[0, [78, 308, 1, 10]], mean[[78, 308, 1, 10]], atol=0.03)  # corners, nose, forehead rest


def test_closed_lips_meet_in_space(mean):
    lips = Aperture.of(LIP_PAIRS, mean, 1.0, 0.4)
    moved = lips.set_gaps(mean[None], np.zeros((1, 9)), np.ones((1, 9)))[0]
    assert np.allclose(moved[list(LIPS_INNER_UPPER)], moved[list(LIPS_INNER_LOWER)], atol=1e-9)


def smiling(mean):
    """A portrait whose lips stand 1 cm apart in a way the model knows nothing of."""
    own = mean.copy()
    own[LIP_PAIRS[:, 1], 1] -= 1.0
    return own


def test_unknown_gap_closes_with_the_models_lips(mean):
    own = smiling(mean)
    fixed = Articulation(mean, own, mean)
    at_rest = fixed.correct(own[None], mean[None])
    assert np.allclose(at_rest[0], own, atol=1e-9)  # what the portrait wears stays as it is
    worn = mean.copy()
    worn[LIP_PAIRS[:, 1], 1] -= 0.6
    known = Articulation(mean, own, worn)
    shut = mean.copy()
    shut[LIP_PAIRS[:, 1], 1] = shut[LIP_PAIRS[:, 0], 1]
    closed = known.correct(own[None], shut[None])
    assert np.abs(known.lips.gaps(closed)).max() < 0.08


def test_lips_never_cross(mean):
    pressed = mean.copy()
    pressed[LIP_PAIRS[:, 1], 1] += 1.0
    fixed = Articulation(mean, mean, mean)
    assert fixed.lips.gaps(fixed.correct(pressed[None], pressed[None])).min() >= min(fixed.own_lip_gap.min(), 0) - 1e-9


def test_lid_opening_is_monotone_and_shuts():
    ratio = np.linspace(-0.5, 1.5, 201)
    opening = lid_opening(ratio)
    assert (np.diff(opening) >= -1e-12).all()
    assert opening[ratio <= 0.3].max() < 1e-9
    assert opening[np.isclose(ratio, 1)] == pytest.approx(1)
    assert opening[-1] == pytest.approx(1.5)
