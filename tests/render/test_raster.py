import numpy as np

from declaim.render.raster import rasterise

QUAD = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def maps(size):
    height, width = size
    return (
        np.full((height, width), -1, np.float32),
        np.full((height, width), -1, np.float32),
        np.full((height, width), np.inf, np.float32),
    )


def square(left, top, side, z=0.0):
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    return np.array([[left + side * x, top + side * y, z] for x, y in corners], np.float64)


def test_source_coordinates_are_affine_inside_a_triangle():
    target, source = square(2.3, 1.7, 10), square(5, 6, 20)[:, :2]
    x, y, depth = maps((16, 16))
    rasterise(target, source, QUAD, x, y, depth)
    ys, xs = np.nonzero(np.isfinite(depth))
    assert len(xs) == 100
    assert np.allclose(x[ys, xs], 5 + (xs - 2.3) * 2, atol=1e-4)
    assert np.allclose(y[ys, xs], 6 + (ys - 1.7) * 2, atol=1e-4)


def test_shared_edges_leave_no_gap_and_outside_stays():
    rng = np.random.default_rng(0)
    for _ in range(50):
        target = np.column_stack([rng.uniform(0, 30, (4, 2)), np.zeros(4)])
        target[:, :2] = square(rng.uniform(1, 8), rng.uniform(1, 8), 18)[:, :2] + rng.uniform(-2, 2, (4, 2))
        x, y, depth = maps((32, 32))
        rasterise(target, target[:, :2].copy(), QUAD, x, y, depth)
        ys, xs = np.nonzero(np.isfinite(depth))
        assert np.allclose(x[ys, xs], xs, atol=1e-3)  # the identity, also across the diagonal
        assert np.allclose(y[ys, xs], ys, atol=1e-3)
        for row in np.isfinite(depth):  # convex: every row is one run
            assert (np.diff(np.flatnonzero(row)) == 1).all()
        assert (x[~np.isfinite(depth)] == -1).all()


def test_nearest_wins_in_any_order():
    near, far = square(2, 2, 6, z=-5.0), square(0, 0, 10, z=3.0)
    source = np.vstack([np.full((4, 2), 100.0), np.full((4, 2), 200.0)])
    order = np.vstack([QUAD, QUAD + 4])
    for triangles in (order, order[::-1].copy()):
        x, y, depth = maps((12, 12))
        rasterise(np.vstack([near, far]), source, triangles, x, y, depth)
        assert (x[2:9, 2:9] == 100).all()
        assert x[0, 0] == x[10, 10] == 200


def test_degenerate_and_distant_triangles_are_skipped():
    target = np.array([[0.0, 0, 0], [5, 5, 0], [10, 10, 0], [1e6, -1e6, 0]])
    x, y, depth = maps((8, 8))
    rasterise(target, target[:, :2].copy(), np.array([[0, 1, 2], [0, 0, 1]], np.int32), x, y, depth)
    assert (x == -1).all()
