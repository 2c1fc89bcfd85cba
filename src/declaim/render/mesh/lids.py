"""Upper lids that close like a curtain: the lash line keeps its thickness, the skin above it follows.

A mesh alone stretches what lies next to the lid's edge, the dark lashes, over the whole closing lid. Here the source
coordinates that the mesh gives are pushed away from the edge, so that the stretch falls on the plain skin above.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from declaim.face.layouts import LEFT_EYE_UPPER, RIGHT_EYE_UPPER

LIDS = (
    (RIGHT_EYE_UPPER, (247, 30, 29, 27, 28, 56, 190)),
    (LEFT_EYE_UPPER, (467, 260, 259, 257, 258, 286, 414)),
)
"""Edge of the upper lid from corner to corner, and the row of points above all but its ends."""


@dataclass(frozen=True, eq=False)
class Lid:
    """One upper lid in the portrait.

    Attributes:
        edge: numbers of the edge's points.
        above: numbers of the points above them.
        depth: mean distance between both rows in the portrait, pixels.
        field: distance from the edge in pixels, and the unit vector away from it, for a box of the portrait.
        corner: position of the box in the moving region.
    """

    edge: list[int]
    above: list[int]
    depth: float
    field: Float[np.ndarray, "height width 3"]
    corner: tuple[int, int]

    @classmethod
    def of(cls, own: Float[np.ndarray, "points 3"], size: tuple[int, int], side: int) -> "Lid | None":
        """The lid in the portrait.

        Args:
            own: the portrait's points in pixels of the moving region.
            size: width and height of the moving region.
            side: 0 for the person's right eye, 1 for the left.
        """
        edge, above = (list(numbers) for numbers in LIDS[side])
        line, row = own[edge, :2], own[above, :2]
        depth = float(np.linalg.norm(line[1:-1] - row, axis=1).mean())
        both = np.vstack([line, row])
        low = np.maximum(np.floor(both.min(0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(both.max(0)).astype(int) + 3, np.array(size))
        if depth < 1 or (high - low < 2).any():
            return None
        xs, ys = np.meshgrid(np.arange(low[0], high[0], dtype=np.float64), np.arange(low[1], high[1], dtype=np.float64))
        at = np.stack([xs, ys], -1)
        start, along = line[:-1], np.diff(line, axis=0)
        t = np.clip(((at[:, :, None] - start) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9), 0, 1)
        away = at[:, :, None] - (start + t[..., None] * along)
        distance = np.linalg.norm(away, axis=-1)
        nearest = distance.argmin(-1)[..., None]
        away = np.take_along_axis(away, nearest[..., None], 2)[:, :, 0]
        distance = np.take_along_axis(distance, nearest, 2)[..., 0]
        up = row.mean(0) - line[1:-1].mean(0)
        on_skin = (away @ up) > 0
        unit = away / np.maximum(distance, 1e-6)[..., None]
        field = np.dstack([np.where(on_skin, distance, 0), unit]).astype(np.float32)
        return cls(edge, above, depth, field, (int(low[0]), int(low[1])))

    def pull(
        self,
        now: Float[np.ndarray, "points 3"],
        map_x: Float[np.ndarray, "height width"],
        map_y: Float[np.ndarray, "height width"],
    ) -> None:
        """Push the source coordinates on the lid away from its edge as far as it is stretched (in place).

        With the stretch k, a source distance d becomes D (1 - (1 - d / D)^k): unstretched at the edge, D at D.

        Args:
            now: target points in pixels of the maps.
            map_x: source x.
            map_y: source y.
        """
        line, row = now[self.edge, :2], now[self.above, :2]
        stretch = float(np.linalg.norm(line[1:-1] - row, axis=1).mean()) / self.depth
        if stretch <= 1.02:
            return
        both = np.vstack([line, row])
        low = np.maximum(np.floor(both.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(both.max(0)).astype(int) + 2, np.array(map_x.shape[::-1]))
        if (high <= low).any():
            return
        box = slice(low[1], high[1]), slice(low[0], high[0])
        found = cv2.remap(
            self.field, map_x[box] - np.float32(self.corner[0]), map_y[box] - np.float32(self.corner[1]),
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        )  # fmt: skip
        share = np.clip(found[..., 0] / self.depth, 0, 1)
        push = (self.depth * (1 - (1 - share) ** stretch - share)).astype(np.float32)
        map_x[box] += push * found[..., 1]
        map_y[box] += push * found[..., 2]
