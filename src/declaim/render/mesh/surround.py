"""Everything around the face that moves with it: hair, ears, neck, and the background they melt into.

The face oval is continued by a grid of vertices. Each carries a weight: 1 on the head (it moves rigidly in 3-D with
it), falling smoothly to 0 on the torso and in the background, where the portrait stays untouched.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import Delaunay

from declaim.face.layouts import CHIN, FACE_OVAL, FOREHEAD
from declaim.render.geometry import smoothstep
from declaim.render.mesh.config import MeshRendererConfig

SHOULDERS_STILL = 0.75
"""How much of the head's motion the shoulders beside the neck lose."""
STEEPEST = 1.0
"""Depth per distance in the picture at the sides of the face."""


@dataclass(frozen=True, eq=False)
class FaceFrame:
    """The face's place in the picture: origin, axes and sizes in pixels.

    Attributes:
        centre: middle of the face.
        up: unit vector from chin to forehead.
        width: face width (the oval's, robust against turned heads).
        height: from chin to hairline.
    """

    centre: Float[np.ndarray, " 2"]
    up: Float[np.ndarray, " 2"]
    width: float
    height: float

    @classmethod
    def of(cls, landmarks: Float[np.ndarray, "points 3"]) -> "FaceFrame":
        """The frame of the tracker's points (pixels)."""
        top, chin = landmarks[FOREHEAD, :2], landmarks[CHIN, :2]
        height = float(np.linalg.norm(top - chin))
        up = (top - chin) / max(height, 1e-6)
        side = np.array([-up[1], up[0]])
        across = landmarks[list(FACE_OVAL), :2] @ side
        width = max(float(np.ptp(across)), 0.72 * height)
        return cls(landmarks[list(FACE_OVAL), :2].mean(0).astype(np.float64), up.astype(np.float64), width, height)

    def local(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Coordinates in face widths: x to the viewer's right, y up, from the centre (rolled with the face)."""
        side = np.array([-self.up[1], self.up[0]])
        delta = points - self.centre
        return np.stack([delta @ side, delta @ self.up], -1) / self.width


@dataclass(frozen=True, eq=False)
class Surround:
    """The vertices around the face.

    Attributes:
        points: x, y in pixels of the portrait and z away from the viewer.
        weight: share of the head's rigid motion, in [0, 1].
        spread: share of each oval point's expression displacement.
        triangles: vertex numbers; below ``n_landmarks`` they are landmarks, above these points.
    """

    points: Float[np.ndarray, "vertices 3"]
    weight: Float[np.ndarray, " vertices"]
    spread: Float[np.ndarray, "vertices 36"]
    triangles: Int[np.ndarray, "triangles 3"]


def soften_relief(landmarks: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
    """The points with the face's sides raised until they slope back no steeper than `STEEPEST`.

    One picture shows the sides of a face in a few pixels. With their true depth a turning head would stretch these
    pixels on one side and fold them over each other on the other.
    """
    frame = FaceFrame.of(landmarks)
    aside = np.abs(frame.local(landmarks[:, :2])[:, 0]) * 2
    sources = landmarks[(aside < 0.6) & (landmarks[:, 2] > np.percentile(landmarks[:, 2], 25))]
    distance = np.linalg.norm(landmarks[:, None, :2] - sources[None, :, :2], axis=-1)
    envelope = (sources[None, :, 2] + STEEPEST * distance).min(1)
    share = smoothstep((aside - 0.4) / 0.4)
    out = landmarks.copy()
    out[:, 2] += share * np.minimum(envelope - landmarks[:, 2], 0)
    return out


def head_ellipse(frame: FaceFrame, points: Float[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
    """Where an average head with hair would be."""
    local = frame.local(points)
    ratio = frame.height / frame.width
    x, y = local[..., 0] / 0.66, (local[..., 1] - 0.16 * ratio) / (0.7 * ratio)
    return x * x + y * y < 1


def motion_weight(
    frame: FaceFrame, head: Bool[np.ndarray, "rows columns"], at: Float[np.ndarray, "rows columns 2"],
    step: float, config: MeshRendererConfig,
) -> Float[np.ndarray, "rows columns"]:  # fmt: skip
    """Weight of the head's motion on a grid.

    Args:
        frame: place of the face.
        head: True on the head.
        at: positions of the grid's samples in the picture.
        step: distance of the samples in pixels.
        config: the reaches.
    """
    distance = cv2.distanceTransform((~head).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * step
    ratio = frame.height / frame.width
    below = smoothstep((-frame.local(at)[..., 1] - 0.15 * ratio) / (0.45 * ratio))
    reach = frame.width * (config.reach + (config.neck_reach - config.reach) * below)
    # under the chin the neck follows the head; the shoulders beside it hardly do
    local = frame.local(at)
    under = smoothstep((-local[..., 1] - 0.42 * ratio) / 0.3)
    beside = smoothstep((np.abs(local[..., 0]) - 0.3) / 0.4)
    return (1 - smoothstep(distance / reach)) * (1 - SHOULDERS_STILL * under * beside)


def build_surround(
    landmarks: Float[np.ndarray, "points 3"],
    size: tuple[int, int],
    pixels_per_cm: float,
    head: Bool[np.ndarray, "height width"] | None,
    config: MeshRendererConfig,
) -> Surround:
    """The mesh around a face.

    Args:
        landmarks: the tracker's points in pixels of the portrait.
        size: width and height of the portrait.
        pixels_per_cm: scale of the head in the portrait.
        head: True on head and hair, in pixels of the portrait; None: an ellipse.
        config: settings.
    """
    frame = FaceFrame.of(landmarks)
    step = max(config.cell * frame.width, 3.0)
    grid, inside = _grid(frame, size, step, head, config)
    weight = _sample_weights(grid, inside, frame, step, config)
    grid, weight = _crop(grid, weight)
    oval = landmarks[list(FACE_OVAL)]
    flat = grid.reshape(-1, 2)
    gap = distance_to_polygon(oval[:, :2], flat)
    keep = gap > 0.6 * step
    points, weights, gap = flat[keep], weight.ravel()[keep], gap[keep]
    shares = 1 / (np.linalg.norm(points[:, None] - oval[None, :, :2], axis=-1) + 1e-3) ** 3
    shares /= shares.sum(1, keepdims=True)
    depth = shares @ oval[:, 2] + 2.8 * pixels_per_cm * (1 - np.exp(-gap / (0.25 * frame.width)))
    fade = np.exp(-((gap / (0.38 * frame.width)) ** 2)) * np.minimum(1, weights * 4)
    return Surround(
        np.column_stack([points, depth]), weights, shares * fade[:, None],
        _triangles(oval[:, :2], points, len(landmarks)),
    )  # fmt: skip


def _grid(
    frame: FaceFrame, size: tuple[int, int], step: float, head: Bool[np.ndarray, "height width"] | None,
    config: MeshRendererConfig,
) -> tuple[Float[np.ndarray, "rows columns 2"], Bool[np.ndarray, "rows columns"]]:  # fmt: skip
    """Regular positions around the head (past the picture's edges where the motion reaches them) and the head mask."""
    margin = frame.width * (config.reach + 0.1)
    low = frame.centre - frame.width * 1.0 - margin
    high = frame.centre + frame.width * 1.0 + margin
    low[1] -= 0.35 * frame.width
    high[1] += frame.width * max(config.neck_reach - config.reach, 0)
    if head is not None and head.any():
        rows, columns = np.flatnonzero(head.any(1)), np.flatnonzero(head.any(0))
        low = np.minimum(low, [columns[0] - margin, rows[0] - margin])
        high = np.maximum(high, [columns[-1] + margin, rows[-1] + margin])
    past = 0.35 * frame.width
    low = np.maximum(low, -past)
    high = np.minimum(high, np.array(size) - 1 + past)
    counts = np.maximum(np.ceil((high - low) / step).astype(int) + 1, 2)
    xs, ys = (low[i] + step * np.arange(counts[i]) for i in (0, 1))
    grid = np.stack(np.meshgrid(xs, ys), -1)
    if head is None:
        return grid, head_ellipse(frame, grid)
    where = np.clip(np.rint(grid).astype(int), 0, np.array(size) - 1)
    above = frame.local(grid)[..., 1] > -0.42 * frame.height / frame.width
    return grid, (head[where[..., 1], where[..., 0]] & above) | head_ellipse(frame, grid)


def _sample_weights(
    grid: Float[np.ndarray, "rows columns 2"], head: Bool[np.ndarray, "rows columns"], frame: FaceFrame, step: float,
    config: MeshRendererConfig,
) -> Float[np.ndarray, "rows columns"]:  # fmt: skip
    weight = motion_weight(frame, head, grid, step, config)
    sigma = 0.05 * frame.width / step
    smooth = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.where(smooth < 2e-3, 0.0, smooth)


def _crop(
    grid: Float[np.ndarray, "rows columns 2"], weight: Float[np.ndarray, "rows columns"]
) -> tuple[Float[np.ndarray, "r c 2"], Float[np.ndarray, "r c"]]:
    """Only the rows and columns that move, and one still row or column around them."""
    rows, columns = np.flatnonzero(weight.any(1)), np.flatnonzero(weight.any(0))
    r = slice(max(rows[0] - 1, 0), rows[-1] + 2)
    c = slice(max(columns[0] - 1, 0), columns[-1] + 2)
    return grid[r, c], weight[r, c]


def distance_to_polygon(
    polygon: Float[np.ndarray, "corners 2"], points: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " n"]:
    """Distance of points to a polygon's outline; negative inside."""
    start, along = polygon[None], (np.roll(polygon, -1, 0) - polygon)[None]
    t = ((points[:, None] - start) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-12)
    nearest = start + np.clip(t, 0, 1)[..., None] * along
    distance = np.linalg.norm(points[:, None] - nearest, axis=-1).min(1)
    x, y = points[:, 0:1], points[:, 1:2]
    ax, ay, bx, by = polygon[:, 0], polygon[:, 1], np.roll(polygon[:, 0], -1), np.roll(polygon[:, 1], -1)
    crosses = ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / np.where(by == ay, 1e-12, by - ay) + ax)
    return np.where(crosses.sum(1) % 2 == 1, -distance, distance)


def _triangles(
    oval: Float[np.ndarray, "36 2"], points: Float[np.ndarray, "n 2"], n_landmarks: int
) -> Int[np.ndarray, "triangles 3"]:
    """Triangles between the oval and the points around it."""
    corners = np.vstack([oval, points])
    triangles = Delaunay(corners).simplices
    middle = corners[triangles].mean(1)
    triangles = triangles[distance_to_polygon(oval, middle) > 0]
    number = np.concatenate([np.array(FACE_OVAL), n_landmarks + np.arange(len(points))])
    return number[triangles].astype(np.int32)
