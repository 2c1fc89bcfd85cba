"""Soft masks of regions of the face."""

import numpy as np
import pytest

from declaim.render.patches import View
from declaim.render.regions import lips_mask, region_mask, shown_mask

HEAD = View(128, None)


def test_masks_are_soft_and_end_inside_the_square():
    angle = np.linspace(0, 6.28, 478)
    points = np.stack([80 + 60 * np.cos(angle), 64 + 40 * np.sin(angle)], 1)
    mask = region_mask(points, HEAD, "face")
    assert mask[64, 80] == pytest.approx(1.0)
    assert mask.min() == 0.0
    assert not mask[:, -3:].any()
    assert float(np.abs(np.diff(mask, axis=0)).max()) < 0.3
    assert not region_mask(points + 1e6, HEAD, "lips").any()


def test_the_lips_are_a_part_of_what_is_shown():
    angle = np.linspace(0, 6.28, 478)
    face = np.stack([32 + 14 * np.cos(angle), 30 + 8 * np.sin(angle)], 1)
    for view in (View(64, 10.0), View(64, None)):
        lips, shown = lips_mask(face, view), shown_mask(face, view)
        assert (lips[30, 32], shown[30, 32]) == pytest.approx((1.0, 1.0))
        assert lips.sum() < shown.sum()
        assert float(max(shown[0].max(), shown[-1].max(), shown[:, 0].max(), shown[:, -1].max())) == 0
