"""Patches: where they lie, how they are cut, and how changes are put back."""

import numpy as np
import pytest
import torch

from declaim.render.cutout import HeadSquare
from declaim.render.patches import View, crop, window

MOUTH, WHOLE = View(96, 8.0), HeadSquare(0.0, 0.0, 256.0)


def test_the_crop_keeps_the_corners_of_the_mouth_where_they_are():
    patches = torch.zeros(1, 96, 96)
    patches[0, 40, 20:76] = 1
    cut = crop(patches, 0.67, 0.42)
    assert cut.shape == (1, 64, 64)
    assert int(cut[0].sum(1).argmax()) / 64 == pytest.approx(0.42, abs=0.02)


def told(angle: float = 0.0, log_size: float = 0.0) -> torch.Tensor:
    row = torch.zeros(70)
    row[66], row[69] = angle, log_size
    return row


@pytest.mark.parametrize("turned", [0.0, 0.3, -0.5])
def test_the_patch_turns_with_the_head_and_keeps_the_mouth_in_its_place(turned):
    points = torch.zeros(478, 2).numpy()
    points[61], points[291] = (90.0, 150.0), (130.0, 150.0)
    place = MOUTH.place(points, told(turned), WHOLE)
    middle = place.inside(np.array([[110.0, 150.0]]))[0]
    np.testing.assert_allclose(middle, [47.5, 96 * 0.42 - 0.5], atol=1e-9)
    # counter-clockwise for the viewer is upward on the right, and y points down
    along = place.warp[:, 0] / np.linalg.norm(place.warp[:, 0])
    np.testing.assert_allclose(along, [np.cos(turned), -np.sin(turned)], atol=1e-7)
    assert place.scale == pytest.approx(256 / 20 * 8 / 96)


@pytest.mark.parametrize("log_size", [-0.8, 0.0, 1.2])
def test_what_is_cut_fits_where_it_is_added(log_size):
    """A change that turns the patch white does so where the patch lies, at any size."""
    picture = np.zeros((300, 300, 3), np.uint8)
    points = np.zeros((478, 2), np.float32)
    points[61], points[291] = (130.0, 150.0), (170.0, 150.0)
    place = MOUTH.place(points, told(0.4, log_size), WHOLE)
    spot = np.zeros((96, 96, 3), np.float32)
    spot[30:60, 20:50] = 1
    place.add(picture, spot)
    assert picture.max() == 255
    seen = place.cut(picture).astype(np.float32) / 255
    inner = np.zeros((96, 96), bool)
    inner[34:56, 24:46] = True
    outer = np.zeros((96, 96), bool)
    outer[26:64, 16:54] = True
    assert seen[inner].min() > 0.95
    assert seen[~outer].max() < 0.05


def test_nothing_to_add_changes_nothing_and_a_patch_outside_neither():
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    points = np.full((478, 2), 30, np.float32)
    for middle, change in ((30, np.zeros((96, 96, 3), np.float32)), (4000, np.ones((96, 96, 3), np.float32))):
        changed = picture.copy()
        MOUTH.place(points * 0 + middle, told(), HeadSquare(0.0, 0.0, 50.0)).add(changed, change)
        assert (changed == picture).all()


def test_the_heads_square_is_cut_as_the_square_is():
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    points = np.zeros((478, 2), np.float32)
    for square in (HeadSquare(40.0, 30.0, 128.0), HeadSquare(-20.0, 90.0, 64.0), HeadSquare(10.0, -30.0, 192.0)):
        place = View(64, None).place(points, told(0.3, 0.5), square)
        assert place.scale == square.side / 64
        own, expected = place.cut(picture), square.cut(picture[None], 64)[0]
        assert np.abs(own.astype(int) - expected).max() <= 1
        spot = (np.array([[50.0, 60.0]]) - (square.left, square.top)) * 64 / square.side
        np.testing.assert_allclose(place.inside(np.array([[49.5, 59.5]])), spot - 0.5)


def test_what_is_drawn_anew_does_not_keep_the_pictures_finer_detail():
    rows, columns = np.mgrid[:256, :256]
    picture = np.repeat(((rows + columns) % 2 * 200)[..., None], 3, 2).astype(np.uint8)
    place = View(128, None).place(np.zeros((478, 2), np.float32), told(), WHOLE)
    change, redrawn = np.zeros((128, 128, 3), np.float32), np.zeros((128, 128), np.float32)
    change[32:96, 32:96], redrawn[32:96, 32:96] = 0.1, 1.0
    kept, anew = picture.copy(), picture.copy()
    place.add(kept, change)
    place.add(anew, change, redrawn)
    inner, outer = (slice(72, 184), slice(72, 184)), (slice(0, 56), slice(0, 56))
    assert kept[inner].std() > 90
    assert np.ptp(anew[inner].astype(int)) <= 2
    assert anew[inner].mean() == pytest.approx(100 + 25.5, abs=1)
    assert (anew[outer] == picture[outer]).all()


def test_a_window_is_open_inside_and_shut_at_its_edge():
    found = window(64, 0.125)
    assert (found[12:-12, 12:-12] == 1).all()
    assert float(torch.cat([found[0], found[-1], found[:, 0], found[:, -1]]).max()) == 0
    assert (found[:32, 32].diff() >= 0).all()


def test_a_patch_is_moved_about_its_middle():
    points = np.zeros((478, 2), np.float32)
    points[61], points[291] = (130.0, 150.0), (170.0, 150.0)
    place = MOUTH.place(points, told(0.2), WHOLE)
    middle = np.array([47.5, 47.5, 1.0])
    turned = place.moved(0.0, 0.0, 0.3, 0.4)
    np.testing.assert_allclose(turned.warp @ middle, place.warp @ middle)
    assert turned.scale == pytest.approx(place.scale * np.exp(0.3))
    aside = place.moved(0.25, 0.0, 0.0, 0.0)
    np.testing.assert_allclose(aside.warp @ middle, place.warp @ np.array([71.5, 47.5, 1.0]))
    np.testing.assert_allclose(place.moved(0.0, 0.0, 0.0, 0.0).warp, place.warp)
