"""Light on a rasterised mesh: every pixel's normal and colour from its triangle's corners, in linear light."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

LIGHTS = np.array([[-0.45, 0.55, 0.7], [0.8, 0.1, 0.45], [0.2, 0.9, -0.6]])
"""Where the light comes from (head space): key, fill, and one from behind that draws the outline."""
STRENGTHS = np.array([0.72, 0.2, 0.28])
AMBIENT = 0.2
SOFT = 0.25
"""How far light goes round the edge of its shadow, as it does in skin."""
GLOSS, SHINE = 0.05, 24.0
"""Strength and sharpness of the key light's reflection on skin."""
WET = 8.0
"""How many times stronger and sharper it is on eyes, teeth and tongue."""


@njit(cache=True, fastmath=True)
@no_type_check
def _shade(map_x, map_y, triangles, normals, colours, texture, picture, wet, lights, strengths, half, out):  # noqa: PLR0917
    height, width = map_x.shape
    last = picture.shape[0] - 1
    for y in range(height):
        for x in range(width):
            if map_x[y, x] < -0.5:
                continue
            k = int((map_x[y, x] + 0.25) / 2)
            a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
            wb, wc = map_x[y, x] - 2 * k, map_y[y, x]
            wa = 1.0 - wb - wc
            n0 = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
            n1 = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
            n2 = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
            inv = 1.0 / max(np.sqrt(n0 * n0 + n1 * n1 + n2 * n2), 1e-6)
            n0, n1, n2 = n0 * inv, n1 * inv, n2 * inv
            light = AMBIENT * (0.7 + 0.3 * n1)
            for i in range(len(strengths)):
                towards = n0 * lights[i, 0] + n1 * lights[i, 1] + n2 * lights[i, 2]
                light += strengths[i] * max((towards + SOFT) / (1 + SOFT), 0.0)
            wetter = 1.0 + (WET - 1.0) * wet[a]
            glint = wetter * GLOSS * max(n0 * half[0] + n1 * half[1] + n2 * half[2], 0.0) ** (wetter * SHINE)
            if texture[a, 0] >= 0.0:
                u = wa * texture[a, 0] + wb * texture[b, 0] + wc * texture[c, 0]
                v = wa * texture[a, 1] + wb * texture[b, 1] + wc * texture[c, 1]
                colour = picture[min(max(int(v * last + 0.5), 0), last), min(max(int(u * last + 0.5), 0), last)]
                for i in range(3):
                    out[y, x, i] = min(light * colour[i] + glint, 1.0)
            else:
                for i in range(3):
                    colour = wa * colours[a, i] + wb * colours[b, i] + wc * colours[c, i]
                    out[y, x, i] = min(light * colour + glint, 1.0)


def shade(  # noqa: PLR0917
    map_x: Float[np.ndarray, "height width"],
    map_y: Float[np.ndarray, "height width"],
    triangles: Int[np.ndarray, "triangles 3"],
    normals: Float[np.ndarray, "vertices 3"],
    colours: Float[np.ndarray, "vertices 3"],
    texture: Float[np.ndarray, "vertices 2"],
    picture: Float[np.ndarray, "side side 3"],
    wet: Float[np.ndarray, " vertices"],
    out: Float[np.ndarray, "height width 3"],
) -> None:
    """Light every pixel that shows a triangle, in place; all colours are linear.

    Args:
        map_x: twice the triangle's number plus the weight of its second corner; -1 where none lies.
        map_y: the weight of its third corner.
        triangles: vertex numbers.
        normals: of the vertices, toward the viewer along z.
        colours: of the vertices.
        texture: where a vertex lies on ``picture``, in [0, 1] from the upper left; negative for those not on it.
        picture: the eyes' picture.
        wet: 1 for what glistens.
        out: linear RGB.
    """
    lights = LIGHTS / np.linalg.norm(LIGHTS, axis=1, keepdims=True)
    half = lights[0] + np.array([0.0, 0.0, 1.0])
    _shade(map_x, map_y, triangles, normals, colours, texture, picture, wet, lights, STRENGTHS,
           half / np.linalg.norm(half), out)  # fmt: skip


_LEVELS = np.linspace(0, 1, 4096)
_ENCODED = np.rint(255 * np.where(_LEVELS <= 0.0031308, 12.92 * _LEVELS, 1.055 * _LEVELS ** (1 / 2.4) - 0.055))


def encoded(light: Float[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """8-bit sRGB of linear light in [0, 1]; the inverse of `declaim.face.head3d_look.linear` to a 4,096th."""
    return _ENCODED.astype(np.uint8)[(light * 4095 + 0.5).astype(np.int32)]
