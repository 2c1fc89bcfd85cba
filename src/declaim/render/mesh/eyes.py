"""The eyeballs: a layer under the lids, rigid with the head, whose iris follows the gaze."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from declaim.face.layouts import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from declaim.render.mesh.texture import blend, fill, polygon_coverage, polygon_mask, smooth_contour

EYES = ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS))


@dataclass(frozen=True, eq=False)
class Eyeball:
    """One eye of the portrait.

    Attributes:
        texture: what lies under the lids, cut out of the portrait and continued.
        origin: where the cut lies in the portrait, pixels.
        outline: numbers of the lid contour's points.
        iris: numbers of the iris points, centre first.
        centre: iris centre in the portrait, pixels.
        radius: iris radius in the portrait, pixels.
    """

    texture: UInt8[np.ndarray, "height width 3"]
    origin: Float[np.ndarray, " 2"]
    outline: list[int]
    iris: list[int]
    centre: Float[np.ndarray, " 2"]
    radius: float

    @classmethod
    def of(
        cls, image: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "points 3"], side: int
    ) -> "Eyeball":
        """The portrait's eye; ``side`` 0 is the person's right eye, 1 the left."""
        outline, iris = (list(numbers) for numbers in EYES[side])
        lids, centre = landmarks[outline, :2], landmarks[iris[0], :2].astype(np.float64)
        radius = float(np.linalg.norm(landmarks[iris[1:], :2] - centre, axis=1).mean())
        pad = 2.5 * radius + 3
        low = np.floor(np.maximum(lids.min(0) - pad, 0)).astype(int)
        high = np.ceil(np.minimum(lids.max(0) + pad, np.array(image.shape[1::-1]) - 1)).astype(int) + 1
        cut = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
        edge = smooth_contour(lids - low)
        inside = polygon_mask(edge, (cut.shape[1], cut.shape[0]), -0.06 * radius)
        return cls(fill(cut, ~inside, 3.0), low.astype(np.float64), outline, iris, centre, radius)

    def draw(
        self,
        canvas: UInt8[np.ndarray, "height width 3"],
        now: Float[np.ndarray, "points 3"],
        rigid: Float[np.ndarray, "points 3"],
        own: Float[np.ndarray, "points 3"],
    ) -> None:
        """Draw the eyeball between the lids.

        Args:
            canvas: part of the frame; changed in place.
            now: target points in pixels of the canvas.
            rigid: where the portrait's points would be if only the head moved.
            own: the portrait's points in pixels of the canvas.
        """
        lids = now[self.outline, :2]
        low = np.floor(lids.min(0)).astype(int) - 1
        high = np.ceil(lids.max(0)).astype(int) + 2
        low, high = np.maximum(low, 0), np.minimum(high, np.array(canvas.shape[1::-1]))
        width, height = (int(v) for v in high - low)
        if width < 2 or height < 2:
            return
        alpha = polygon_coverage(smooth_contour(lids - low), (width, height))
        if not alpha.any():
            return
        back = affine_between(rigid[self.outline, :2], own[self.outline, :2])
        xs, ys = low[0] + np.arange(width), low[1] + np.arange(height)[:, None]
        source_x, source_y = (row[0] * xs + row[1] * ys + row[2] for row in back)
        centre = own[self.iris[0], :2]
        gaze = back[:, :2] @ (now[self.iris, :2] - rigid[self.iris, :2]).mean(0)
        gaze *= min(1.0, 1.4 * self.radius / (np.linalg.norm(gaze) + 1e-9))
        far = np.hypot(source_x - centre[0] - gaze[0], source_y - centre[1] - gaze[1]) / self.radius
        moved = np.clip((2.4 - far) / 1.3, 0, 1)
        moved = moved * moved * (3 - 2 * moved)
        shift = self.origin - self.centre + centre
        layer = cv2.remap(
            self.texture,
            (source_x - gaze[0] * moved - shift[0]).astype(np.float32),
            (source_y - gaze[1] * moved - shift[1]).astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        blend(canvas[low[1] : high[1], low[0] : high[0]], layer, alpha)


def affine_between(
    start: Float[np.ndarray, "points 2"], goal: Float[np.ndarray, "points 2"]
) -> Float[np.ndarray, "2 3"]:
    """The affine map that takes ``start`` nearest to ``goal`` (least squares)."""
    middle, goal_middle = start.mean(0), goal.mean(0)
    centred = start - middle
    # a trace of the identity keeps a collapsed set of points (a closed eye) solvable
    ridge = 1e-9 * (float(np.square(centred).sum()) + 1e-9)
    (a, b), (_, d) = centred.T @ centred + ridge * np.eye(2)
    right = centred.T @ (goal - goal_middle) + ridge * np.eye(2)
    linear = (np.array([[d, -b], [-b, a]]) @ right / (a * d - b * b)).T
    return np.column_stack([linear, goal_middle - linear @ middle])
