"""Key points lie where the portrait has them, and move as told."""

import numpy as np
import pytest
import torch

from declaim.face.layouts import FACE_OVAL, LIPS_OUTER
from declaim.render.keypoints import KeypointRenderer, KeypointRendererConfig
from declaim.render.keypoints.lines import LINES, iris_rings


def draw(model, portrait, motion, anchor="rest", **settings):
    run = KeypointRenderer(KeypointRendererConfig(**settings), model).render(portrait, motion, anchor)
    return np.concatenate([part.images for part in run])


def rows_of(frame, points):
    """Rows and columns of the pixels that are nearer to a line's own colour than to any other's."""
    colour = next(line.colour for line in LINES if line.points == points)
    return np.argwhere(np.abs(frame.astype(int) - colour).max(-1) < 12)


def test_lines_run_through_the_portraits_own_points(model, portrait, motion_of):
    frame = draw(model, portrait, motion_of(portrait.expression), line_cm=0.01)[0]
    lit = np.argwhere(frame.any(-1))[:, ::-1]
    wanted = sorted({point for line in LINES for point in line.points})
    for x, y in portrait.landmarks[wanted, :2].numpy():
        assert np.hypot(*(lit - (x, y)).T).min() < 1.5
    assert (frame.any(-1)).mean() < 0.05  # lines, nothing else


def test_mouth_opens_and_nothing_of_the_forehead_moves(model, portrait, jaw_open, motion_of):
    shut, wide = draw(model, portrait, motion_of(torch.stack([torch.zeros(64), jaw_open])), line_cm=0.25)
    heights = [np.ptp(rows_of(frame, LIPS_OUTER)[:, 0]) for frame in (shut, wide)]
    assert heights[1] > heights[0] + 0.05 * np.ptp(rows_of(shut, FACE_OVAL)[:, 0])
    assert rows_of(wide, FACE_OVAL)[:, 0].max() > rows_of(shut, FACE_OVAL)[:, 0].max()  # the chin
    assert rows_of(wide, FACE_OVAL)[:, 0].min() == rows_of(shut, FACE_OVAL)[:, 0].min()


def test_the_head_turns_the_same_way_as_in_the_projection(model, portrait, motion_of):
    plain, turned = draw(model, portrait, motion_of(torch.zeros(2, 64)).replace(
        rotation=torch.tensor([[0.0, 0, 0], [0, 0.3, 0]])), line_cm=0.25)  # fmt: skip
    middle = [rows_of(frame, LIPS_OUTER)[:, 1].mean() for frame in (plain, turned)]
    sides = [np.ptp(rows_of(frame, FACE_OVAL)[:, 1]) for frame in (plain, turned)]
    assert middle[1] > middle[0] + 0.05 * sides[0]  # to the viewer's right: a positive turn about the upward axis


def test_irises_stay_between_the_lids(model, eyes_shut):
    opened, shut = (
        [np.ptp(ring[:, 1]) for ring in iris_rings(model.points(b).numpy())] for b in (torch.zeros(64), eyes_shut)
    )
    assert min(opened) > 0.5  # cm
    assert max(shut) < 0.25 * min(opened)


def test_settings(model, portrait, motion_of):
    motion = motion_of(torch.zeros(7, 64))
    frames = draw(model, portrait, motion, background=(251, 250, 249), frames_per_run=3)
    assert (frames[:, 0, 0] == (251, 250, 249)).all()
    assert (frames == draw(model, portrait, motion, background=(251, 250, 249))).all()
    thin, thick = (draw(model, portrait, motion, line_cm=cm).any(-1).sum() for cm in (0.07, 0.3))
    assert thick > 1.5 * thin
    with pytest.raises(ValueError, match="line_cm"):
        KeypointRendererConfig(line_cm=0)
