"""One portrait and a motion become frames."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.model import FaceModel
from declaim.render.base import Anchor
from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.geometry import HeadPoses, relative_poses
from declaim.render.mesh.puppet import Puppet
from declaim.render.mesh.surround import smoothstep
from declaim.types import Frames, Motion, Portrait

SAME_EXPRESSION_CM = (0.12, 0.3)
"""Mean distance of the points of two expressions up to which they count as one, and from which they do not."""


class MeshRenderer:
    """Animates a portrait by warping a triangle mesh of it; eyes and mouth are layers of their own.

    Args:
        config: settings.
        model: the face model; the shipped one if None.
    """

    def __init__(self, config: MeshRendererConfig | None = None, model: FaceModel | None = None) -> None:
        self.config = config or MeshRendererConfig()
        self._model = model

    @cached_property
    def model(self) -> FaceModel:
        """The face model, loaded when first needed."""
        return self._model or FaceModel.from_pretrained()

    def render(self, portrait: Portrait, motion: Motion, anchor: Anchor = "rest") -> Iterator[Frames]:
        """Yield the frames of ``motion`` in order, in runs; the pictures do not depend on the runs' length.

        Args:
            portrait: the picture.
            motion: expression and head pose (no batch axis).
            anchor: ``"first"``: the portrait's pose corresponds to the motion's first frame; ``"rest"``: to zero.

        Raises:
            ConfigError: the motion has a batch axis, or the anchor is unknown.
        """
        if motion.values.ndim != 2:
            raise ConfigError(f"the renderer takes one motion, not a batch of shape {tuple(motion.values.shape)}")
        if anchor not in ("first", "rest"):
            raise ConfigError(f"anchor is {anchor!r}; it can be 'first' or 'rest'")
        poses = relative_poses(portrait, motion, anchor)
        if anchor == "first" and len(motion):
            portrait = replace(portrait, expression=worn_expression(portrait, motion["expression"][0], self.model))
        puppet = Puppet(portrait, self.model, self.config)
        for start in range(0, len(motion), self.config.frames_per_run):
            part = slice(start, min(start + self.config.frames_per_run, len(motion)))
            offsets = self.model.offsets(motion["expression"][part].float()).double().numpy()
            images = puppet.frames(offsets, HeadPoses(poses.rotation[part], poses.translation[part]))
            yield Frames(images, motion.fps)


def worn_expression(
    portrait: Portrait, first: Float[Tensor, " expression"], model: FaceModel
) -> Float[Tensor, " expression"]:
    """The expression that the portrait wears, when it stands for a motion's first frame.

    What one picture tells of expression and identity is uncertain by about a millimetre. If the portrait's own fit
    and the motion's first frame differ by no more than that, the first frame is believed: then the face starts
    exactly as the portrait has it.
    """
    apart = float(model.offsets(portrait.expression - first).norm(dim=-1).mean())
    share = 1 - float(smoothstep(np.array((apart - SAME_EXPRESSION_CM[0]) / np.ptp(SAME_EXPRESSION_CM))))
    return portrait.expression + share * (first - portrait.expression)
