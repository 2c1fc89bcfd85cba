"""Lip metrics: answers known beforehand, and real tracked lips."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import pearsonr
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.layouts import CHIN, FOREHEAD, LIPS, LIPS_INNER_LOWER, N_POINTS, UPPER_FACE
from declaim.face.model import FaceModel
from declaim.metrics.functional import lip


@pytest.fixture(scope="module")
def mean_face() -> Tensor:
    return FaceModel.from_pretrained().mean


def still(face: Tensor, frames: int) -> Tensor:
    return face.expand(frames, N_POINTS, 3).clone()


def lower_lip_down(face: Tensor, by_cm: Tensor) -> Tensor:
    """A clip in which only the inner lower lip's points move."""
    points = still(face, len(by_cm))
    points[:, list(LIPS_INNER_LOWER[1:-1]), 1] -= by_cm[:, None]
    return points


def test_mouth_opening_is_the_vertical_gap_in_cm(mean_face):
    face = mean_face.clone()
    face[list(lip.MIDDLE_LOWER)] = face[list(lip.MIDDLE_UPPER)] + torch.tensor([0.0, 0.0, -0.3])  # lower lip behind
    points = lower_lip_down(face, torch.tensor([0.0, 0.7, 1.9]))
    torch.testing.assert_close(lip.mouth_opening(points), torch.tensor([0.0, 0.7, 1.9]))
    torch.testing.assert_close(lip.mouth_opening(points + 5.0), torch.tensor([0.0, 0.7, 1.9]))


def test_overlapping_lips_are_closed_lips(mean_face):
    assert float(lip.mouth_opening(lower_lip_down(mean_face, torch.tensor([-3.0])))) == 0.0


def test_the_three_pairs_lie_above_each_other(mean_face):
    upper, lower = mean_face[list(lip.MIDDLE_UPPER)], mean_face[list(lip.MIDDLE_LOWER)]
    assert ((upper - lower)[:, 0].abs() < 0.1).all()
    assert (upper[:, 0].diff() > 0.2).all()


def test_rigid_align_undoes_any_rigid_motion(mean_face):
    truth = lower_lip_down(mean_face, torch.linspace(0, 1, 6))
    turns = torch.from_numpy(Rotation.random(6, random_state=1).as_matrix()).float()
    moved = truth @ turns.mT + torch.randn(6, 1, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lip.rigid_align(moved, truth), truth, atol=1e-4, rtol=0)


def test_rigid_align_equals_scipy_and_never_mirrors(mean_face):
    truth, noisy = still(mean_face, 1), still(mean_face, 1) * torch.tensor([-1.0, 1.0, 1.0])
    on = list(lip.STEADY)
    source = (noisy[0, on] - noisy[0, on].mean(0)).numpy()
    target = (truth[0, on] - truth[0, on].mean(0)).numpy()
    turn = Rotation.align_vectors(target, source)[0].as_matrix()
    expected = turn @ (noisy[0] - noisy[0, on].mean(0)).numpy().T
    aligned = lip.rigid_align(noisy, truth)[0] - truth[0, on].mean(0)
    np.testing.assert_allclose(aligned.numpy().T, expected, atol=1e-3)


def test_lmd_lve_mod_of_a_known_displacement(mean_face):
    truth = still(mean_face, 4)
    generated = truth.clone()
    generated[:, list(LIPS), 1] -= 0.3
    generated[:, LIPS[0], 1] -= 0.4
    height = math.dist(mean_face[FOREHEAD].tolist(), mean_face[CHIN].tolist())
    expected_lmd = (0.3 * 79 + 0.7) / 80 / height
    assert float(lip.lmd(generated, truth)) == pytest.approx(expected_lmd, rel=1e-3)
    assert float(lip.lve(generated, truth)) == pytest.approx(0.7, rel=1e-4)
    opened = lower_lip_down(mean_face, torch.tensor([0.0, 0.5, 0.0, 0.5]))
    closed = still(mean_face, 4)
    gap = lip.mouth_opening(opened) - lip.mouth_opening(closed)
    assert float(lip.mod(opened, closed)) == pytest.approx(float(gap.abs().mean()), rel=1e-5)
    assert lip.lmd(truth, truth) < 1e-6
    assert lip.lve(truth, truth) == 0 == lip.mod(truth, truth)


def test_fdd_counts_upper_face_motion_only_and_has_a_sign(mean_face):
    wave = torch.sin(torch.arange(100) * 2 * math.pi / 25)
    lively = still(mean_face, 100)
    lively[:, list(UPPER_FACE), 1] += 0.2 * wave[:, None]
    chatting = lower_lip_down(mean_face, wave.abs())
    expected = 0.2 / math.sqrt(2)
    assert float(lip.fdd(chatting, lively)) == pytest.approx(expected, rel=1e-3)
    assert float(lip.fdd(lively, chatting[:60])) == pytest.approx(-expected, rel=1e-3)


def test_mouth_correlation_equals_scipy_and_is_zero_for_a_still_mouth():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(80, generator=generator), torch.rand(80, generator=generator)
    assert float(lip.mouth_correlation(a, b)) == pytest.approx(pearsonr(a.numpy(), b.numpy())[0], abs=1e-6)
    assert float(lip.mouth_correlation(3 * a + 1, a)) == pytest.approx(1.0, abs=1e-6)
    assert float(lip.mouth_correlation(torch.ones(80), b)) == 0.0


@pytest.mark.parametrize("late", [-4, -1, 0, 3])
def test_mouth_lag_finds_a_known_shift(late):
    wide = torch.rand(120, generator=torch.Generator().manual_seed(0))
    assert lip.mouth_lag(wide[10 - late : 90 - late], wide[10:90]) == late


@pytest.mark.parametrize("late", [-4, -1, 0, 3])
def test_a_late_mouth_correlates_once_shifted(late):
    wide = torch.rand(120, generator=torch.Generator().manual_seed(0))
    generated, truth = wide[10 - late : 90 - late], wide[10:90]
    assert float(lip.shifted_correlation(generated, truth, late)) == pytest.approx(1.0, abs=1e-6)
    assert abs(float(lip.shifted_correlation(generated, truth, late + 1))) < 0.5
    with pytest.raises(ConfigError, match="leaves nothing of 80"):
        lip.shifted_correlation(generated, truth, -79)


def test_mouth_lag_of_a_still_mouth_is_none_and_short_clips_are_refused():
    assert lip.mouth_lag(torch.ones(80), torch.rand(80)) == 0
    with pytest.raises(ConfigError, match="at least 20 frames"):
        lip.mouth_lag(torch.ones(19), torch.rand(19))


def test_closures_are_judged_against_the_clips_own_range():
    opening = torch.full((100,), 1.0)
    opening[50:] = 0.5  # 2nd percentile .2, 98th 1.0 after the next lines
    opening[[10, 11, 12]] = 0.2
    opening[20] = 0.31  # (0.31 - 0.2) / 0.8 = 0.1375: closed
    opening[30] = 0.33  # 0.1625: open
    spans = [(9, 14), (19, 22), (29, 32), (60, 64)]
    assert lip.closures(opening, spans).tolist() == [True, True, False, False]
    assert lip.closures(7 * opening + 3, spans).tolist() == [True, True, False, False]
    assert lip.closures(torch.ones(20), [(0, 20)]).tolist() == [False]


@pytest.mark.parametrize("span", [(5, 5), (-1, 3), (90, 101)])
def test_closures_refuse_spans_outside_the_clip(span):
    with pytest.raises(ConfigError, match="no part of a clip"):
        lip.closures(torch.rand(100), [span])
