"""One portrait and a motion become frames."""

from declaim.face.model import FaceModel
from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.puppet import Puppet
from declaim.render.portrait_renderer import Draw, PortraitRenderer
from declaim.types import Portrait


class MeshRenderer(PortraitRenderer[MeshRendererConfig]):
    """Animates a portrait by warping a triangle mesh of it; eyes and mouth are layers of their own.

    Args:
        config: settings.
        model: the face model; the shipped one if None.
    """

    def __init__(self, config: MeshRendererConfig | None = None, model: FaceModel | None = None) -> None:
        super().__init__(config or MeshRendererConfig(), model)

    def drawing(self, portrait: Portrait) -> Draw:
        """The portrait as a puppet."""
        puppet = Puppet(portrait, self.model, self.config)
        return lambda expression, poses: puppet.frames(self.offsets(expression), poses)
