import cv2
import numpy as np
import pytest

from declaim.render.mesh.teeth import MouthTones, draw_teeth, draw_tongue
from declaim.render.mesh.texture import blend, polygon_coverage, polygon_mask, smooth_contour

CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 16, False)), np.sin(np.linspace(0, 2 * np.pi, 16, False))], -1)


def test_coverage_sums_to_the_area_and_is_centred():
    square = np.array([[3.0, 4.0], [9.5, 4.0], [9.5, 8.0], [3.0, 8.0]])
    cover = polygon_coverage(square, (14, 12))
    assert cover.sum() == pytest.approx(6.5 * 4, rel=0.12)
    ys, xs = np.mgrid[0:12, 0:14]
    assert (cover * xs).sum() / cover.sum() == pytest.approx(6.25, abs=0.15)
    assert (cover * ys).sum() / cover.sum() == pytest.approx(6.0, abs=0.15)


def test_smooth_contour_passes_through_its_points():
    points = CIRCLE * 10 + 20
    curve = smooth_contour(points, 5)
    assert np.allclose(curve[::5], points)
    radius = np.linalg.norm(curve - 20, axis=1)
    assert np.abs(radius - 10).max() < 0.05


def test_polygon_mask_grows_and_shrinks():
    points = CIRCLE * 10 + 20
    areas = [polygon_mask(smooth_contour(points), (40, 40), grow).sum() for grow in (-3.0, 0.0, 3.0)]
    for area, radius in zip(areas, (7, 10, 13), strict=True):
        assert np.sqrt(area / np.pi) == pytest.approx(radius, abs=0.9)


def test_blend_is_exact_at_the_ends():
    rng = np.random.default_rng(0)
    canvas, layer = rng.integers(0, 256, (2, 8, 9, 3), dtype=np.uint8)
    alpha = np.zeros((8, 9), np.float32)
    alpha[:, 5:] = 1
    before = canvas.copy()
    blend(canvas, layer, alpha)
    assert (canvas[:, :5] == before[:, :5]).all()
    assert (canvas[:, 5:] == layer[:, 5:]).all()


def test_teeth_follow_the_light(portrait):
    points = portrait.landmarks.double().numpy()
    bright = MouthTones.of(portrait.image, points)
    dim = MouthTones.of((portrait.image * 0.4).astype(np.uint8), points)
    assert np.mean(dim.teeth) < 0.7 * np.mean(bright.teeth)
    assert np.mean(bright.dark) < 0.3 * np.mean(bright.teeth)
    grey = np.repeat(cv2.cvtColor(portrait.image, cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
    assert np.ptp(MouthTones.of(grey, points).tongue) < 0.02


def test_tooth_textures_are_symmetric_and_premultiplied(portrait):
    tones = MouthTones.of(portrait.image, portrait.landmarks.double().numpy())
    for texture in (
        draw_teeth(tones, 20.0, upper=True),
        draw_teeth(tones, 20.0, upper=False),
        draw_tongue(tones, 20.0),
    ):
        image = texture.image
        assert (image >= -1e-6).all()
        assert (image[..., :3] <= image[..., 3:] + 1e-5).all()
        assert np.abs(image - image[:, ::-1]).mean() < 0.03
    upper = draw_teeth(tones, 20.0, upper=True)
    row = int(upper.to_pixel(np.array([[0.0, 0.3]]))[0, 1])
    assert upper.image[row, upper.image.shape[1] // 2 + 3, 3] > 0.9  # a tooth above its biting edge
    below = int(upper.to_pixel(np.array([[0.0, -0.15]]))[0, 1])
    assert upper.image[below, upper.image.shape[1] // 2 + 3, 3] < 0.1
