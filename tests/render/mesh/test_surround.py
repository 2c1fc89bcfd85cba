import numpy as np
import pytest

from declaim.face.layouts import CHIN, FACE_OVAL
from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.outline import find_outline
from declaim.render.mesh.surround import FaceFrame, build_surround, soften_relief


@pytest.fixture(scope="module")
def points(portrait):
    return portrait.landmarks.double().numpy()


@pytest.fixture(scope="module")
def around(portrait, points):
    person = find_outline(portrait.image, points)
    return build_surround(points, portrait.image.shape[1::-1], 6.5, person, MeshRendererConfig())


def test_triangles_tile_the_region_around_the_oval(points, around):
    corners = np.vstack([points[:, :2], around.points[:, :2]])[around.triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2
    oval = points[list(FACE_OVAL), :2]
    x, y = oval.T
    hole = np.abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    box = np.ptp(around.points[:, :2], axis=0).prod()
    assert area == pytest.approx(box - hole, rel=1e-6)
    used = {n for n in around.triangles.ravel().tolist() if n < len(points)}
    assert used == set(FACE_OVAL)


def test_weights_fade_from_head_to_rim(points, around):
    frame = FaceFrame.of(points)
    local = frame.local(around.points[:, :2])
    rim = (around.points[:, :2] <= around.points[:, :2].min(0)).any(1)
    in_picture = (around.points[:, :2] > 0).all(1)
    assert (around.weight[rim & in_picture] == 0).all()
    assert ((around.weight >= 0) & (around.weight <= 1)).all()
    hair = (np.abs(local[:, 0]) < 0.3) & (local[:, 1] > 0.62) & (local[:, 1] < 0.8)
    assert around.weight[hair].min() > 0.9
    torso = local[:, 1] < frame.local(points[CHIN, :2])[1] - 0.75
    assert around.weight[torso].max() < 0.25
    assert (around.points[:, 2] > points[list(FACE_OVAL), 2].min()).all()  # behind the nearest of the oval


def test_sides_of_the_face_slope_gently(points):
    soft = soften_relief(points)
    assert (soft[:, :2] == points[:, :2]).all()
    assert (soft[:, 2] <= points[:, 2] + 1e-9).all()
    middle = np.abs(FaceFrame.of(points).local(points[:, :2])[:, 0]) < 0.19
    assert (soft[middle] == points[middle]).all()


def test_outline_follows_the_hair(portrait, points):
    person = find_outline(portrait.image, points)
    assert person is not None
    assert person[25:45, 200:250].mean() > 0.9  # hair
    assert person[10:120, 330:360].mean() < 0.05  # wall
    assert person[points[:, 1].astype(int), points[:, 0].astype(int)].mean() > 0.98


def test_outline_gives_up_on_noise(portrait, points):
    noise = np.random.default_rng(0).integers(0, 256, portrait.image.shape, dtype=np.uint8)
    person = find_outline(noise, points)
    assert person is None or person[points[:, 1].astype(int), points[:, 0].astype(int)].mean() > 0.9
