"""A motion as the lines of a face: lips, eyes, irises, brows, nose and outline, where the portrait has its own.

Paper: SDM, fig. 4 (its key-point row).
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor

from declaim.face.camera import focal_length
from declaim.face.model import FaceModel
from declaim.render.geometry import HeadPoses, project_points
from declaim.render.keypoints.lines import BLUE, LINES, draw_line, iris_rings
from declaim.render.portrait_face import PortraitFace
from declaim.render.portrait_renderer import Draw, PortraitRenderer, PortraitRendererConfig
from declaim.types import Portrait


class KeypointRendererConfig(PortraitRendererConfig):
    """How key points are drawn."""

    background: tuple[int, int, int] = (0, 0, 0)
    """RGB; on black, an editor's "screen" mode lays the lines over another video."""
    line_cm: float = Field(0.12, gt=0.0, le=1.0)
    """Thickness of the lines on the face; never thinner than a pixel."""


class KeypointRenderer(PortraitRenderer[KeypointRendererConfig]):
    """Draws the face model's points as lines, at the portrait's size and place; none of its pixels is shown.

    Args:
        config: settings.
        model: the face model; the shipped one if None.
    """

    def __init__(self, config: KeypointRendererConfig | None = None, model: FaceModel | None = None) -> None:
        super().__init__(config or KeypointRendererConfig(), model)

    def drawing(self, portrait: Portrait) -> Draw:
        """The portrait's face in lines."""
        face = PortraitFace(portrait, portrait.landmarks.double().numpy(), self.model)
        plain = np.full_like(portrait.image, self.config.background)

        def draw(
            expression: Float[Tensor, "frames expression"], poses: HeadPoses
        ) -> UInt8[np.ndarray, "frames height width 3"]:
            images = np.tile(plain, (len(expression), 1, 1, 1))
            shapes = face.shapes(self.offsets(expression))
            for each in zip(images, shapes, poses.rotation, poses.translation, strict=True):
                self._draw(*each)
            return images

        return draw

    def _draw(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        shape: Float[np.ndarray, "points 3"],
        rotation: Float[np.ndarray, "3 3"],
        translation: Float[np.ndarray, " 3"],
    ) -> None:
        size = image.shape[1], image.shape[0]
        thickness = max(round(self.config.line_cm * focal_length(size) / -translation[2]), 1)
        rings = list(iris_rings(shape))
        ends = np.cumsum([len(shape), *(len(ring) for ring in rings)])
        seen = project_points(np.vstack([shape, *rings]), rotation, translation, size)[:, :2]
        for line in LINES:
            draw_line(image, seen[list(line.points)], line.colour, line.closed, thickness)
        for start, stop in pairwise(ends):
            draw_line(image, seen[start:stop], BLUE, True, thickness)
