"""A motion as the lines of a face: lips, eyes, irises, brows, nose and outline, where the portrait has its own.

Paper: SDM, fig. 4 (its key-point row).
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, Field

from declaim.face.camera import focal_length
from declaim.face.model import FaceModel
from declaim.render.base import Anchor
from declaim.render.geometry import anchored, project_points
from declaim.render.keypoints.lines import BLUE, LINES, draw_line, iris_rings
from declaim.render.portrait_face import PortraitFace
from declaim.types import Frames, Motion, Portrait


class KeypointRendererConfig(BaseModel):
    """How key points are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames_per_run: int = Field(25, ge=1)
    """Frames that are yielded together; changes memory, not the picture."""
    background: tuple[int, int, int] = (0, 0, 0)
    """RGB; on black, an editor's "screen" mode lays the lines over another video."""
    line_cm: float = Field(0.12, gt=0.0, le=1.0)
    """Thickness of the lines on the face; never thinner than a pixel."""


class KeypointRenderer:
    """Draws the face model's points as lines, at the portrait's size and place.

    Args:
        config: settings.
        model: the face model; the shipped one if None.
    """

    def __init__(self, config: KeypointRendererConfig | None = None, model: FaceModel | None = None) -> None:
        self.config = config or KeypointRendererConfig()
        self._model = model

    @cached_property
    def model(self) -> FaceModel:
        """The face model, loaded when first needed."""
        return self._model or FaceModel.from_pretrained()

    def render(self, portrait: Portrait, motion: Motion, anchor: Anchor = "rest") -> Iterator[Frames]:
        """Yield the frames of ``motion`` in order, in runs; the pictures do not depend on the runs' length.

        Args:
            portrait: the picture whose face and size are taken; none of its pixels is shown.
            motion: expression and head pose (no batch axis).
            anchor: ``"first"``: the portrait's pose corresponds to the motion's first frame; ``"rest"``: to zero.

        Raises:
            ConfigError: the motion has a batch axis, or the anchor is unknown.
        """
        portrait, poses = anchored(portrait, motion, anchor, self.model)
        face = PortraitFace(portrait, portrait.landmarks.double().numpy(), self.model)
        plain = np.full_like(portrait.image, self.config.background)
        for start in range(0, len(motion), self.config.frames_per_run):
            part = slice(start, start + self.config.frames_per_run)
            shapes = face.shapes(self.model.offsets(motion["expression"][part].float()).double().numpy())
            images = np.empty((len(shapes), *plain.shape), np.uint8)
            images[...] = plain
            for image, shape, rotation, translation in zip(
                images, shapes, poses.rotation[part], poses.translation[part], strict=True
            ):
                self._draw(image, shape, rotation, translation)
            yield Frames(images, motion.fps)

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
