"""The latent renderer: the mesh renderer's frames, in which a diffusion UNet draws the mouth, or the face, anew."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field, ValidationError
from torch import Tensor

from declaim.errors import CapacityError, ConfigError, DeclaimWarning
from declaim.face.model import FaceModel
from declaim.render.coefficients import coefficients
from declaim.render.cutout import HeadSquare
from declaim.render.geometry import HeadPoses, picture_size, portrait_pose
from declaim.render.latent.autoencoder import WHITE, from_bytes
from declaim.render.latent.config import LatentConfig
from declaim.render.latent.networks import LatentNetworks
from declaim.render.latent.sampling import FrameSampler
from declaim.render.latent.unet import Conditions
from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.puppet import Puppet
from declaim.render.portrait_renderer import Draw, PortraitRenderer
from declaim.render.regions import lips_mask, shown_mask
from declaim.types import Portrait


class LatentRendererConfig(MeshRendererConfig):
    """Settings of the latent renderer, beside those of the mesh renderer that guides it."""

    sampling_steps: int | None = Field(None, gt=0)
    """Steps of the reverse process; none: as the weights say."""
    start: int | None = Field(None, ge=0)
    """Diffusion step from which the guide is redrawn: more changes more; none: as the weights say."""
    batch: int = Field(1, gt=0)
    """Frames that are drawn at once: more is faster, and rounds otherwise in the last bit; one with ``carry``."""
    strength: float | None = Field(None, gt=0, le=1)
    """How much of what the network changes is shown; none: as the weights say."""
    carry: float | None = Field(None, ge=0, le=1)
    """How much of the previous frame's offset from its guide a frame begins with; none: as the weights say. Frames are
    drawn one by one then."""
    seed: int = Field(0, ge=0)
    """Of the noise that all frames of a clip share."""
    device: str = "cpu"
    """Where the networks run, as torch names it."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the networks' products: bfloat16 is faster on a GPU and on CPUs that know it."""


class LatentRenderer(PortraitRenderer[LatentRendererConfig]):
    """Animates a portrait as the mesh renderer does, and draws the mouth, or the whole face, anew in latent space.

    Args:
        config: settings.
        model: the face model; the shipped one if None.
        networks: autoencoder and UNet; the shipped ones if None.
    """

    def __init__(
        self,
        config: LatentRendererConfig | None = None,
        model: FaceModel | None = None,
        networks: LatentNetworks | None = None,
    ) -> None:
        super().__init__(config or LatentRendererConfig(), model)
        self._networks = networks

    @classmethod
    def from_pretrained(
        cls, folder: Path | None = None, config: LatentRendererConfig | None = None
    ) -> "LatentRenderer":
        """With the weights of a folder that the recipe ``latent-renderer`` wrote; None for the shipped ones.

        Raises:
            AssetError: none ship with this declaim.
            CheckpointError: it does not hold such weights.
        """
        return cls(config, networks=LatentNetworks.from_pretrained(folder))

    @cached_property
    def networks(self) -> LatentNetworks:
        """Autoencoder and UNet, loaded when first needed."""
        return (self._networks or LatentNetworks.from_pretrained()).eval().to(self.config.device)

    def drawing(self, portrait: Portrait) -> Draw:
        """The portrait, of which the networks draw mouth or face.

        Raises:
            ConfigError: the settings do not fit the weights.
            AssetError: no networks were given, and none ship with this declaim.
            CapacityError: not even one frame fits into memory.

        Warns:
            DeclaimWarning: fewer frames than wished fit into memory at once.
        """
        return _Painter(portrait, self).frames


class _Painter:
    """Draws one portrait."""

    def __init__(self, portrait: Portrait, renderer: LatentRenderer) -> None:
        self.offsets, self.networks, self.settings = renderer.offsets, renderer.networks, renderer.config
        self.config = self._process()
        self.puppet = Puppet(portrait, renderer.model, renderer.config)
        self.size = picture_size(portrait)
        self.square = HeadSquare.of(portrait.landmarks, self.size)
        self.sampler = FrameSampler(self.config, self.networks.unet)
        self.noise = self.sampler.noise(self.settings.seed).to(self.settings.device)
        self.batch = 1 if self.config.carry else self.settings.batch  # frame after frame, if one begins at another
        self.offset: Tensor | None = None
        self.own = coefficients(portrait.expression[None], portrait_pose(portrait), self.size, self.square)
        place = self.config.view.place(portrait.landmarks[:, :2].numpy(), self.own[0], self.square)
        with torch.inference_mode():
            self.reference = self.networks.autoencoder.latents(self._tensor(place.cut(portrait.image)[None]))

    def _process(self) -> LatentConfig:
        """The weights' process with what the settings change."""
        wished = {name: getattr(self.settings, name) for name in ("sampling_steps", "start", "strength", "carry")}
        changed = {name: value for name, value in wished.items() if value is not None}
        try:
            return LatentConfig.model_validate(self.networks.config.model_dump() | changed)
        except ValidationError as error:
            raise ConfigError(f"the settings do not fit these weights: {error.errors()[0]['msg']}") from error

    def _tensor(self, pictures: UInt8[np.ndarray, "n side side 3"]) -> Float[Tensor, "n 3 side side"]:
        return from_bytes(torch.from_numpy(pictures).to(self.settings.device))

    def frames(
        self, expression: Float[Tensor, "frames expression"], poses: HeadPoses
    ) -> UInt8[np.ndarray, "frames height width 3"]:
        """Pictures of a run of frames."""
        offsets = self.offsets(expression)
        images, points = self.puppet.frames(offsets, poses), self.puppet.points(offsets, poses)[..., :2]
        told = coefficients(expression, poses, self.size, self.square)
        places = [self.config.view.place(*each, self.square) for each in zip(points, told, strict=True)]
        guides = np.stack([place.cut(image) for place, image in zip(places, images, strict=True)])
        placed = [place.inside(face) for place, face in zip(places, points, strict=True)]
        lips = np.stack([lips_mask(face, self.config.view) for face in placed])
        shown = np.stack([shown_mask(face, self.config.view) for face in placed])
        drawn = self._batches(guides, told, lips)
        if not self.config.detail:
            drawn, lips = _matched(drawn, guides.astype(np.float32), shown), np.ones_like(lips)
        shown = self.config.strength * shown
        changes = (drawn - guides) * (shown[..., None] / WHITE / 2)
        for place, image, change, anew in zip(places, images, changes, lips * shown, strict=True):
            place.add(image, change, anew)
        return images

    def _batches(
        self,
        guides: UInt8[np.ndarray, "n side side 3"],
        told: Float[Tensor, "n 70"],
        lips: Float[np.ndarray, "n side side"],
    ) -> Float[np.ndarray, "n side side 3"]:
        """Patches, drawn in batches that fit into memory."""
        drawn, start = np.empty(guides.shape, np.float32), 0
        while start < len(guides):
            part = slice(start, start + self.batch)
            found = self._fitting(guides[part], told[part], lips[part])
            if found is not None:
                drawn[part], start = found, part.stop
        return drawn

    def _fitting(
        self,
        guides: UInt8[np.ndarray, "n side side 3"],
        told: Float[Tensor, "n 70"],
        lips: Float[np.ndarray, "n side side"],
    ) -> Float[np.ndarray, "n side side 3"] | None:
        """The patches of a batch; None, and a smaller batch from now on, if it does not fit into memory."""
        try:
            return self._draw(guides, told, lips)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
            if self.batch == 1:
                raise CapacityError("one frame of the latent renderer does not fit into memory") from error
            wished, self.batch = self.batch, max(min(self.batch, len(guides)) // 2, 1)
        warnings.warn(
            f"{wished} frames at once do not fit into memory; going on with {self.batch}", DeclaimWarning, stacklevel=6
        )
        return None

    @torch.inference_mode()
    def _draw(
        self,
        guides: UInt8[np.ndarray, "n side side 3"],
        told: Float[Tensor, "n 70"],
        lips: Float[np.ndarray, "n side side"],
    ) -> Float[np.ndarray, "n side side 3"]:
        """Patches, 0 .. 255, drawn from the mesh renderer's."""
        shown, unet, device = self._tensor(guides), self.config.unet, self.noise.device
        masks = torch.from_numpy(lips)[:, None].to(device)
        own = self.own.to(device) if unet.own else None
        with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            guide = self.networks.autoencoder.latents(shown) if unet.guide else None
            drawn = self.sampler(Conditions(told.to(device), self.reference, guide, own), self.noise, self.offset)
            if guide is not None and self.config.carry:
                self.offset = self.config.carry * (drawn - guide)
            pictures = (self.networks.pictures(self.reference, drawn, guide, shown, masks) + 1.0) * WHITE
        return pictures.permute(0, 2, 3, 1).float().cpu().numpy()


def _out_of_memory(error: Exception) -> bool:
    """Whether memory was what was missing: torch says so in its own error on a GPU, in words on a CPU."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in said for word in words)


def _matched(
    patches: Float[np.ndarray, "frames side side 3"],
    guides: Float[np.ndarray, "frames side side 3"],
    masks: Float[np.ndarray, "frames side side"],
) -> Float[np.ndarray, "frames side side 3"]:
    """Patches whose mean colour on the mask's soft edge is the guide's there, so that no edge is seen."""
    edges = masks * (1.0 - masks)
    weights = edges / np.maximum(edges.sum((1, 2), keepdims=True), 1e-6)
    return patches + ((guides - patches) * weights[..., None]).sum((1, 2), keepdims=True)
