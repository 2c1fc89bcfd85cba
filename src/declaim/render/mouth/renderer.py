"""The mouth renderer: the mesh renderer's frames, in which a network draws the mouth anew."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.face.model import FaceModel
from declaim.render.coefficients import coefficients
from declaim.render.cutout import HeadSquare
from declaim.render.geometry import HeadPoses, lip_gap, picture_size, portrait_pose, smoothstep
from declaim.render.mesh.puppet import Puppet
from declaim.render.mouth.config import MouthRendererConfig
from declaim.render.mouth.network import MouthNetwork
from declaim.render.patches import PatchPlace, as_tensor
from declaim.render.portrait_renderer import Draw, PortraitRenderer
from declaim.render.regions import shown_mask
from declaim.types import Portrait


class MouthRenderer(PortraitRenderer[MouthRendererConfig]):
    """Animates a portrait as the mesh renderer does; lips, teeth and what is around them come from a network.

    Args:
        config: settings.
        model: the face model; the shipped one if None.
        network: draws the mouth; the shipped one if None.
    """

    def __init__(
        self,
        config: MouthRendererConfig | None = None,
        model: FaceModel | None = None,
        network: MouthNetwork | None = None,
    ) -> None:
        super().__init__(config or MouthRendererConfig(), model)
        self._network = network

    @classmethod
    def from_pretrained(cls, folder: Path | None = None, config: MouthRendererConfig | None = None) -> "MouthRenderer":
        """With the weights of a folder that the recipe ``mouth-renderer`` wrote; None for the shipped ones.

        Raises:
            AssetError: none ship with this declaim.
            CheckpointError: it does not hold such weights.
        """
        return cls(config, network=MouthNetwork.from_pretrained(folder))

    @cached_property
    def network(self) -> MouthNetwork:
        """The network, loaded when first needed."""
        return (self._network or MouthNetwork.from_pretrained()).eval()

    def drawing(self, portrait: Portrait) -> Draw:
        """The portrait, whose mouth the network draws.

        Raises:
            AssetError: no network was given, and none ships with this declaim.
        """
        return _Painter(portrait, self).frames


class _Painter:
    """Draws one portrait."""

    def __init__(self, portrait: Portrait, renderer: MouthRenderer) -> None:
        self.offsets, self.network = renderer.offsets, renderer.network
        self.puppet = Puppet(portrait, renderer.model, renderer.config)
        self.size = picture_size(portrait)
        self.square = HeadSquare.of(portrait.landmarks, self.size)
        self.own = coefficients(portrait.expression[None], portrait_pose(portrait), self.size, self.square)
        self.share = _share(portrait.landmarks, renderer.config.own_teeth)
        place = self._place(portrait.landmarks.double().numpy(), self.own[0])
        self.portrait = as_tensor(place.cut(portrait.image))
        with torch.inference_mode():
            self.looks = self.network.look(self.portrait)

    def frames(
        self, expression: Float[Tensor, "frames expression"], poses: HeadPoses
    ) -> UInt8[np.ndarray, "frames height width 3"]:
        """Pictures of a run of frames."""
        offsets = self.offsets(expression)
        images = self.puppet.frames(offsets, poses)
        if not self.share:
            return images
        points = self.puppet.points(offsets, poses)
        told = coefficients(expression, poses, self.size, self.square)
        for image, where, row in zip(images, points, told, strict=True):  # one by one: runs do not change pictures
            place = self._place(where, row)
            shown = self.share * shown_mask(place.inside(where[:, :2]), self.network.config.view)
            self._redraw(image, place, row[None], shown)
        return images

    def _place(self, points: Float[np.ndarray, "points _"], told: Float[Tensor, " 70"]) -> PatchPlace:
        return self.network.config.view.place(points[:, :2], told, self.square)

    @torch.inference_mode()
    def _redraw(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        place: PatchPlace,
        told: Float[Tensor, "1 70"],
        shown: Float[np.ndarray, "side side"],
    ) -> None:
        guide = as_tensor(place.cut(image))
        change = self.network.change(guide, self.portrait, self.looks, told, self.own)
        place.add(image, change[0].permute(1, 2, 0).numpy() * shown[..., None])


def _share(landmarks: Float[Tensor, "points 3"], gaps: tuple[float, float] | None) -> float:
    """How much of what the network changes is shown, by how far the portrait's lips are apart."""
    if gaps is None:
        return 1.0
    return 1.0 - float(smoothstep(np.array((float(lip_gap(landmarks)) - gaps[0]) / (gaps[1] - gaps[0]))))
