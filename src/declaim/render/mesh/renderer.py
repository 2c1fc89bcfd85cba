"""One portrait and a motion become frames."""

from collections.abc import Iterator
from functools import cached_property

from declaim.face.model import FaceModel
from declaim.render.base import Anchor
from declaim.render.geometry import HeadPoses, anchored
from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.puppet import Puppet
from declaim.types import Frames, Motion, Portrait


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
        portrait, poses = anchored(portrait, motion, anchor, self.model)
        puppet = Puppet(portrait, self.model, self.config)
        for start in range(0, len(motion), self.config.frames_per_run):
            part = slice(start, min(start + self.config.frames_per_run, len(motion)))
            offsets = self.model.offsets(motion["expression"][part].float()).double().numpy()
            images = puppet.frames(offsets, HeadPoses(poses.rotation[part], poses.translation[part]))
            yield Frames(images, motion.fps)
