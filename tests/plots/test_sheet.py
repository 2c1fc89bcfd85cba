import numpy as np
import pytest
import torch

from declaim.plots.sheet import GAP, TEXT_PX, THUMB_PX, Row, contact_sheet, moments
from declaim.types import Frames, Portrait


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(0, []), (1, [0]), (3, [0, 1, 2]), (12, [1, 3, 5, 7, 9, 11]), (600, [50, 150, 250, 350, 450, 550])],
)
def test_moments_are_the_middles_of_equal_parts(frames, expected):
    assert moments(frames) == expected


def portrait(size, box):
    """A portrait whose landmarks lie in a box (left, top, right, bottom)."""
    left, top, right, bottom = box
    zeros = torch.zeros(3)
    corners = torch.tensor([[left, top, 0], [right, bottom, 0]], dtype=torch.float32)
    return Portrait(np.zeros((*size, 3), np.uint8), corners, zeros, torch.zeros(64), zeros, zeros)


def row(values, size, run):
    """A row that saw one frame of each grey, in runs; the face fills the picture."""
    seen = Row(len(values), portrait(size, (0, 0, size[1], size[0])))
    images = np.stack([np.full((*size, 3), value, np.uint8) for value in values])
    for start in range(0, len(values), run):
        block = images[start : start + run].copy()
        seen.see(Frames(block))
        block[:] = 0  # renderers may use their buffers again
    return seen


@pytest.mark.parametrize("run", [1, 5, 100])
def test_the_row_keeps_its_moments_however_frames_come(run):
    seen = row(range(60), (90, 120), run)
    assert [int(p[0, 0, 0]) for p in seen.pictures] == [5, 15, 25, 35, 45, 55]


def test_pictures_lie_in_rows_and_columns():
    rows = [row([40] * 6, (48, 64), 2), row([200] * 6, (48, 64), 3)]
    sheet = contact_sheet(rows, ["seed 0", "seed 1"])
    top = TEXT_PX + 2 * GAP
    left = sheet.shape[1] - 6 * (64 + GAP)
    assert sheet.shape[0] == top + 2 * (48 + GAP)
    for number, grey in enumerate((40, 200)):
        for column in range(6):
            y, x = top + number * (48 + GAP), left + column * (64 + GAP)
            assert (sheet[y : y + 48, x : x + 64] == grey).all()
    words = sheet[top : top + 48, :left]
    assert words.min() < 100  # the label is there


def test_large_pictures_become_small_ones_of_their_shape():
    assert row([7], (800, 400), 1).pictures[0].shape == (THUMB_PX, THUMB_PX // 2, 3)


def test_the_face_and_its_surround_are_shown():
    image = np.zeros((1, 100, 200, 3), np.uint8)
    image[0, 30:50, 60:80] = 255
    seen = Row(1, portrait((100, 200), (60, 30, 80, 50)))
    seen.see(Frames(image))
    expected = np.zeros((40, 40, 3), np.uint8)
    expected[10:30, 10:30] = 255
    assert (seen.pictures[0] == expected).all()
