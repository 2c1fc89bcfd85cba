"""A portrait cut into skin, eyes and mouth, ready to be moved."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from declaim.face.camera import focal_length
from declaim.face.layouts import FACE_OVAL, LEFT_EYE, LIPS_INNER, RIGHT_EYE
from declaim.face.model import FaceModel
from declaim.render.geometry import HeadPoses, lift, picture_size, project_points
from declaim.render.mesh.backdrop import build_backdrop
from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.eyes import Eyeball
from declaim.render.mesh.lids import Lid
from declaim.render.mesh.mouth import Mouth, draw_mouth
from declaim.render.mesh.outline import find_outline
from declaim.render.mesh.surround import FaceFrame, build_surround, soften_relief
from declaim.render.mesh.texture import fill_openings
from declaim.render.portrait_face import PortraitFace
from declaim.render.raster import rasterise
from declaim.types import Portrait

OPENINGS = (LIPS_INNER, RIGHT_EYE, LEFT_EYE)


class Puppet:
    """Draws one portrait in any expression and pose.

    Args:
        portrait: the picture.
        model: the face model.
        config: settings.
    """

    def __init__(self, portrait: Portrait, model: FaceModel, config: MeshRendererConfig) -> None:
        self.image, self.model, self.config = portrait.image, model, config
        self.size = picture_size(portrait)
        self.landmarks = soften_relief(portrait.landmarks.double().numpy())
        self.pixels_per_cm = focal_length(self.size) / -float(portrait.translation[2])
        self.face = PortraitFace(portrait, self.landmarks, model)
        frame = FaceFrame.of(self.landmarks)
        person = find_outline(self.image, self.landmarks) if config.outline else None
        self.around = build_surround(self.landmarks, self.size, self.pixels_per_cm, person, config)
        self.around_points = lift(self.around.points, portrait)
        low = np.maximum(np.floor(self.around.points[:, :2].min(0)), 0).astype(int)
        high = np.minimum(np.ceil(self.around.points[:, :2].max(0)) + 1, np.array(self.size)).astype(int)
        self.corner, self.extent = low, high - low
        self.source = np.vstack([self.landmarks[:, :2], self.around.points[:, :2]]) - low
        self.triangles = np.vstack([model.triangles.numpy().astype(np.int32), self.around.triangles])
        self.cut = self.image[low[1] : high[1], low[0] : high[0]].copy()
        inside = slice(low[1], high[1]), slice(low[0], high[0])
        frame = replace(frame, centre=frame.centre - low)
        self.backdrop = None if person is None else build_backdrop(self.cut, person[inside], frame)
        self.skin = fill_openings(self.cut, self.landmarks[:, :2] - low, self.pixels_per_cm)
        self.eyes = [Eyeball.of(self.image, self.landmarks, side) for side in (0, 1)]
        lids = [
            Lid.of(self.landmarks - np.append(low, 0), (int(self.extent[0]), int(self.extent[1])), k) for k in (0, 1)
        ]
        self.lids = [lid for lid in lids if lid is not None]
        self.mouth = Mouth(self.image, self.landmarks, self.face.rest, self.face.own, self.pixels_per_cm)

    def frames(
        self, offsets: Float[np.ndarray, "frames points 3"], poses: HeadPoses
    ) -> UInt8[np.ndarray, "frames height width 3"]:
        """Pictures of a run of frames.

        Args:
            offsets: the expression's displacement of every point, ``B_exp b``, cm.
            poses: where the head is.
        """
        shapes = self.face.shapes(offsets)
        out = np.empty((len(offsets), *self.image.shape), np.uint8)
        out[...] = self.image
        x, y = self.corner
        for i, image in enumerate(out):
            canvas = image[y : y + self.extent[1], x : x + self.extent[0]]
            self._draw(canvas, shapes[i], poses.rotation[i], poses.translation[i])
        return out

    def points(
        self, offsets: Float[np.ndarray, "frames points 3"], poses: HeadPoses
    ) -> Float[np.ndarray, "frames points 3"]:
        """Where the face's points are in those pictures: pixels, x right, y down, z away from the viewer."""
        shapes = self.face.shapes(offsets)
        moved = [project_points(*one, self.size) for one in zip(shapes, poses.rotation, poses.translation, strict=True)]
        return np.stack(moved) if moved else np.empty_like(shapes)

    def _draw(
        self,
        canvas: UInt8[np.ndarray, "height width 3"],
        shape: Float[np.ndarray, "points 3"],
        rotation: Float[np.ndarray, "3 3"],
        translation: Float[np.ndarray, " 3"],
    ) -> None:
        """Draw the moving region."""
        now = self._project(shape, rotation, translation)
        rigid = self._project(self.face.own, rotation, translation)
        map_x, map_y = self._warp(now, rigid, self._project(self.around_points, rotation, translation))
        for lid in self.lids:
            lid.pull(now, map_x, map_y)
        front = cv2.remap(self.skin, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        canvas[...] = front if self.backdrop is None else self.backdrop.behind(front, map_x, map_y)
        own = self.landmarks - np.append(self.corner, 0)
        for eye in self.eyes:
            eye.draw(canvas, now, rigid, own)
        if self.config.mouth_interior:
            scale = focal_length(self.size) / -translation[2]
            planes = [self._project(p, rotation, translation)[:, :2] for p in self.mouth.planes(shape)]
            draw_mouth(self.mouth, canvas, now, rigid, (planes[0], planes[1]), scale)
        for outline in OPENINGS:
            self._keep_own(canvas, now[list(outline), :2], rigid[list(outline), :2], map_x, map_y)

    def _project(
        self, points: Float[np.ndarray, "n 3"], rotation: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, " 3"]
    ) -> Float[np.ndarray, "n 3"]:
        """Pixels of the moving region."""
        out = project_points(points, rotation, translation, self.size)
        out[:, :2] -= self.corner
        return out

    def _warp(
        self, now: Float[np.ndarray, "points 3"], rigid: Float[np.ndarray, "points 3"],
        head: Float[np.ndarray, "vertices 3"],
    ) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:  # fmt: skip
        """For every pixel of the moving region, where in the portrait it comes from."""
        around, oval = self.around, list(FACE_OVAL)
        still = around.points - np.append(self.corner, 0)
        moved = still + (head - still) * around.weight[:, None]
        moved[:, :2] += around.spread @ (now[oval, :2] - rigid[oval, :2])
        width, height = (int(v) for v in self.extent)
        map_x = np.empty((height, width), np.float32)
        map_y = np.empty((height, width), np.float32)
        map_x[...] = np.arange(width, dtype=np.float32)
        map_y[...] = np.arange(height, dtype=np.float32)[:, None]
        depth = np.full((height, width), np.inf, np.float32)
        rasterise(np.vstack([now, moved]), self.source, self.triangles, map_x, map_y, depth)
        return map_x, map_y

    def _keep_own(
        self, canvas: UInt8[np.ndarray, "height width 3"], now: Float[np.ndarray, "n 2"],
        rigid: Float[np.ndarray, "n 2"], map_x: Float[np.ndarray, "height width"],
        map_y: Float[np.ndarray, "height width"],
    ) -> None:  # fmt: skip
        """Near the portrait's own shape of an eye or mouth, show the portrait itself instead of rebuilt layers."""
        left = float(np.abs(now - rigid).max() / max(np.ptp(rigid, axis=0).max(), 1))
        same = float(np.exp(-((left / 0.035) ** 2)))
        if same < 1 / 64:
            return
        pad = 0.3 * self.pixels_per_cm + 2
        low = np.maximum(np.floor(now.min(0) - pad).astype(int), 0)
        high = np.minimum(np.ceil(now.max(0) + pad).astype(int), self.extent)
        if (high <= low).any():
            return
        box = slice(low[1], high[1]), slice(low[0], high[0])
        own = cv2.remap(self.cut, map_x[box], map_y[box], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        canvas[box] = cv2.addWeighted(own, same, np.ascontiguousarray(canvas[box]), 1 - same, 0)
