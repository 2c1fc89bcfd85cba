"""The head's metrics: their zeros, known displacements, and frames that do not count."""

import pytest
import torch

from declaim.errors import ConfigError
from declaim.face.head3d import Head3D
from declaim.face.layouts import ARKIT_NAMES, FACE64
from declaim.metrics.head import arkit_scores_on, head_scores
from declaim.types import Motion

JAW, BROW = ARKIT_NAMES.index("jawOpen"), ARKIT_NAMES.index("browInnerUp")


@pytest.fixture(scope="module")
def head():
    return Head3D.from_pretrained()


def motion(seed, frames=12, **more):
    values = torch.randn(frames, FACE64.dim, generator=torch.Generator().manual_seed(seed))
    return Motion(values, FACE64, **more)


def test_the_truth_has_no_error(head):
    assert head_scores(motion(0), motion(0), head) == {"lve_head_mm": 0, "fdd_head_mm": 0, "mod_head_mm": 0}


def test_pose_does_not_count(head):
    turned = motion(0).replace(rotation=torch.ones(12, 3))
    assert head_scores(turned, motion(0), head)["lve_head_mm"] == 0


def test_a_half_open_jaw_is_wrong_by_what_its_unit_moves(head):
    truth = torch.zeros(4, 52)
    made = truth.clone()
    made[:, JAW] = 0.5
    scores = arkit_scores_on(head, made, truth)
    assert scores["lve_head_mm"] == pytest.approx(5 * float(head.units[JAW, head.lips].norm(dim=-1).max()), rel=1e-5)
    pairs = head.units[JAW, head.mouth_upper, 1] - head.units[JAW, head.mouth_lower, 1]
    assert scores["mod_head_mm"] == pytest.approx(5 * float(pairs.mean()), rel=1e-5)
    assert scores["fdd_head_mm"] == pytest.approx(0, abs=1e-5)  # constant: as lively as the truth


def test_a_still_brow_is_less_lively_than_a_moving_one(head):
    truth = torch.zeros(4, 52)
    truth[1::2, BROW] = 1.0  # standard deviation one half
    scores = arkit_scores_on(head, torch.zeros(4, 52), truth)
    expected = 5 * float(head.units[BROW, head.upper_face].norm(dim=-1).mean())
    assert scores["fdd_head_mm"] == pytest.approx(expected, rel=1e-4)
    assert arkit_scores_on(head, truth, torch.zeros(4, 52))["fdd_head_mm"] == pytest.approx(-expected, rel=1e-4)


def test_frames_without_a_face_count_nowhere(head):
    spoilt = motion(0)
    spoilt.values[3] = 40.0
    seen = torch.arange(12) != 3
    truth = motion(1, valid=seen)
    kept = [Motion(m.values[seen], FACE64) for m in (spoilt, truth)]
    assert head_scores(spoilt, truth, head) == pytest.approx(head_scores(*kept, head), rel=1e-4)


def test_what_cannot_be_compared_is_said(head):
    with pytest.raises(ConfigError, match="has 12 frames, the truth 9; cut them"):
        head_scores(motion(0), motion(0, frames=9), head)
    with pytest.raises(ConfigError, match="no frame shows a face in both"):
        head_scores(motion(0, valid=torch.zeros(12, dtype=torch.bool)), motion(0), head)
