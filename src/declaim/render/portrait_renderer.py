"""What renderers of portraits share: a face model, where the head goes, and pictures in runs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from declaim.face.model import FaceModel
from declaim.render.base import Anchor
from declaim.render.geometry import HeadPoses, anchored
from declaim.types import Frames, Motion, Portrait

Draw = Callable[[Float[Tensor, "frames expression"], HeadPoses], UInt8[np.ndarray, "frames height width 3"]]
"""Pictures of a run of frames, from b and the poses."""


class PortraitRendererConfig(BaseModel):
    """Settings of every such renderer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames_per_run: int = Field(25, ge=1)
    """Frames that are yielded together; changes memory, not the picture."""


ConfigT = TypeVar("ConfigT", bound=PortraitRendererConfig)


class PortraitRenderer(ABC, Generic[ConfigT]):
    """Draws a motion where a portrait has its face.

    Args:
        config: settings.
        model: the face model; the shipped one if None.
    """

    def __init__(self, config: ConfigT, model: FaceModel | None = None) -> None:
        self.config = config
        self._model = model

    @cached_property
    def model(self) -> FaceModel:
        """The face model, loaded when first needed."""
        return self._model or FaceModel.from_pretrained()

    @abstractmethod
    def drawing(self, portrait: Portrait) -> Draw:
        """What draws runs of frames of a portrait that wears an expression of its own."""

    def render(self, portrait: Portrait, motion: Motion, anchor: Anchor = "rest") -> Iterator[Frames]:
        """Yield the frames of ``motion`` in order, in runs; the pictures do not depend on the runs' length.

        Args:
            portrait: the picture.
            motion: expression and head pose (no batch axis).
            anchor: ``"first"``: the portrait's pose corresponds to the motion's first frame; ``"rest"``: to zero.

        Raises:
            ConfigError: the motion has a batch axis, or the anchor is unknown.
        """
        portrait, poses = anchored(portrait, motion, anchor, self.model)
        draw = self.drawing(portrait)
        for start in range(0, len(motion), self.config.frames_per_run):
            part = slice(start, start + self.config.frames_per_run)
            run = HeadPoses(poses.rotation[part], poses.translation[part])
            yield Frames(draw(motion["expression"][part].float(), run), motion.fps)

    def offsets(self, expression: Float[Tensor, "frames expression"]) -> Float[np.ndarray, "frames points 3"]:
        """The expression's displacement of every point, ``B_exp b``, cm."""
        return self.model.offsets(expression).double().numpy()
