"""Rasterising a textured triangle mesh: for every target pixel, the source position that it shows."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit


@njit(cache=True, fastmath=False, boundscheck=False)
@no_type_check
def _fill(target, source, triangles, map_x, map_y, depth):  # noqa: PLR0917
    height, width = map_x.shape
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        ax, ay, bx, by, cx, cy = target[a, 0], target[a, 1], target[b, 0], target[b, 1], target[c, 0], target[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx) - 1e-4)), 0), min(int(np.floor(max(ax, bx, cx) + 1e-4)), width - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy) - 1e-4)), 0), min(int(np.floor(max(ay, by, cy) + 1e-4)), height - 1)
        inv = 1.0 / area
        # barycentric weights are linear in x and y: value = base + x * step
        wb_dx, wb_dy = (cy - ay) * inv, -(cx - ax) * inv
        wc_dx, wc_dy = -(by - ay) * inv, (bx - ax) * inv
        sax, say, za = source[a, 0], source[a, 1], target[a, 2]
        dbx, dby, dbz = source[b, 0] - sax, source[b, 1] - say, target[b, 2] - za
        dcx, dcy, dcz = source[c, 0] - sax, source[c, 1] - say, target[c, 2] - za
        for y in range(y0, y1 + 1):
            wb_row, wc_row = (y - ay) * wb_dy - ax * wb_dx, (y - ay) * wc_dy - ax * wc_dx
            for x in range(x0, x1 + 1):
                wb, wc = wb_row + x * wb_dx, wc_row + x * wc_dx
                # pixels on an edge shared by two triangles belong to both, so that no gap can open between them
                if wb >= -1e-6 and wc >= -1e-6 and wb + wc <= 1.0 + 1e-6:
                    z = za + wb * dbz + wc * dcz
                    if z < depth[y, x]:
                        depth[y, x] = z
                        map_x[y, x] = sax + wb * dbx + wc * dcx
                        map_y[y, x] = say + wb * dby + wc * dcy


def rasterise(  # noqa: PLR0917
    target: Float[np.ndarray, "vertices 3"],
    source: Float[np.ndarray, "vertices 2"],
    triangles: Int[np.ndarray, "triangles 3"],
    map_x: Float[np.ndarray, "height width"],
    map_y: Float[np.ndarray, "height width"],
    depth: Float[np.ndarray, "height width"],
) -> None:
    """Write the source coordinates of every covered pixel into ``map_x`` and ``map_y`` (in place).

    Args:
        target: where the vertices are now: x, y in pixels of the maps, z away from the viewer (nearest wins).
        source: where the vertices are in the picture that is shown, pixels.
        triangles: vertex numbers.
        map_x: source x of every pixel; untouched where no triangle lies.
        map_y: source y of every pixel.
        depth: z of the nearest triangle so far; fill with infinity before the first mesh.
    """
    _fill(target, source, triangles, map_x, map_y, depth)
