from dataclasses import replace

import torch

from declaim.face.clip import ClipTrack, free_clip
from declaim.face.layouts import ARKIT_NAMES, TRACKER_SCORES
from declaim.face.rest import closed_opening, lip_opening, neutral_frames, with_lips_at
from declaim.face.track import arkit_order, track_motion


def test_known_motion_is_recovered(synthetic, model):
    track, expression, rotation, translation = synthetic
    motion = track_motion(track, model, smooth=False)
    assert (motion["rotation"] - rotation).abs().max() < 0.01
    assert (motion["translation"] - translation).abs().max() < 0.5
    assert (motion["expression"] - expression)[20:].std() < 0.15
    assert motion["expression"][:20].abs().max() < 0.3  # at rest nothing moves


def test_gaps_are_bridged_marked_and_counted(synthetic, model):
    track, *_ = synthetic
    valid = torch.ones(120, dtype=torch.bool)
    valid[[60, 61, 62, 90]] = False
    points = track.points.clone()
    points[~valid] = float("nan")
    gappy = replace(track, points=points, valid=valid)
    motion = track_motion(gappy, model)
    assert torch.isfinite(motion.values).all()
    assert torch.equal(motion.valid, valid)
    assert (gappy.n_missing, gappy.longest_gap) == (4, 3)


def test_rest_frames_are_the_still_ones(synthetic, model):
    track, *_ = synthetic
    freed = free_clip(ClipTrack(track.points, track.scores, track.size), model)
    assert (freed.rest_frames < 20).all()
    assert (freed.rest - model.mean).abs().max() < 0.15  # cm
    assert (freed.seen_rest - freed.rest - freed.rest_error).abs().max() < 1e-6


def test_lips_are_brought_together_but_never_apart(model):
    open_rest = model.points(lip_opening(model.expression_basis) * 3)
    assert lip_opening(open_rest) > 0.3
    closed = with_lips_at(open_rest, 0.1, model.expression_basis)
    assert abs(lip_opening(closed) - 0.1) < 1e-3
    assert torch.equal(with_lips_at(closed, 0.3, model.expression_basis), closed)


def test_closed_opening_has_limits(model):
    apart = model.points(lip_opening(model.expression_basis)[None] * 9)
    assert closed_opening(apart) == 0.25
    assert closed_opening(model.points(-lip_opening(model.expression_basis)[None] * 9)) == 0.02


def test_a_clip_of_one_frame_works(synthetic, model):
    track, *_ = synthetic
    one = replace(track, points=track.points[:1], scores=track.scores[:1], valid=track.valid[:1])
    motion = track_motion(one, model)
    assert motion.values.shape == (1, 70)
    assert len(neutral_frames(model.mean[None], one.scores)) == 1


def test_scores_are_put_into_apples_order():
    scores = torch.arange(52.0)
    arkit = arkit_order(scores)
    assert arkit[ARKIT_NAMES.index("tongueOut")] == 0
    for name in ("eyeBlinkLeft", "jawOpen", "mouthSmileRight", "noseSneerRight"):
        assert arkit[ARKIT_NAMES.index(name)] == TRACKER_SCORES.index(name)
