"""The latent renderer: the mesh renderer's frames, in which a diffusion UNet draws the face anew."""

import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field, ValidationError
from torch import Tensor

from declaim.errors import CapacityError, ConfigError, DeclaimWarning
from declaim.face.model import FaceModel
from declaim.render.coefficients import coefficients
from declaim.render.cutout import HeadSquare
from declaim.render.geometry import HeadPoses, picture_size
from declaim.render.latent.autoencoder import WHITE, from_bytes
from declaim.render.latent.config import LatentConfig
from declaim.render.latent.mask import Region, add_back, matched, region_mask
from declaim.render.latent.networks import LatentNetworks
from declaim.render.latent.sampling import FrameSampler
from declaim.render.latent.unet import Conditions
from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.puppet import Puppet
from declaim.render.portrait_renderer import Draw, PortraitRenderer
from declaim.types import Portrait


class LatentRendererConfig(MeshRendererConfig):
    """Settings of the latent renderer, beside those of the mesh renderer that guides it."""

    sampling_steps: int | None = Field(None, gt=0)
    """Steps of the reverse process; none: as the weights say."""
    start: int | None = Field(None, ge=0)
    """Diffusion step from which the guide is redrawn: more changes more; none: as the weights say."""
    batch: int = Field(1, gt=0)
    """Frames that are drawn at once. On a CPU more is hardly faster; on a GPU it is."""
    region: Region = "face"
    """What is redrawn: the whole face, or the mouth alone."""
    seed: int = Field(0, ge=0)
    """Of the noise that all frames of a clip share."""
    device: str = "cpu"
    """Where the networks run, as torch names it."""


class LatentRenderer(PortraitRenderer[LatentRendererConfig]):
    """Animates a portrait as the mesh renderer does, and draws the face anew in latent space.

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
        """The portrait, whose face the networks draw.

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
        self.batch = self.settings.batch
        with torch.inference_mode():
            own = self.square.cut(portrait.image[None], self.config.side)
            self.reference = self.networks.autoencoder.latents(self._tensor(own))

    def _process(self) -> LatentConfig:
        """The weights' process with what the settings change."""
        wished = {"sampling_steps": self.settings.sampling_steps, "start": self.settings.start}
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
        images, points = self.puppet.frames(offsets, poses), self.puppet.points(offsets, poses)
        guides = self.square.cut(images, self.config.side)
        told = coefficients(expression, poses, self.size, self.square)
        placed = self.square.points(torch.from_numpy(points), self.config.side).numpy()
        masks = np.stack([region_mask(face, self.config.side, self.settings.region) for face in placed])
        drawn = self._batches(guides, told, placed)
        if self.config.detail:
            add_back(self.square, images, (drawn - guides) * masks[..., None])
        else:
            self.square.put_back(images, matched(drawn, guides, masks), masks)
        return images

    def _batches(
        self,
        guides: UInt8[np.ndarray, "n side side 3"],
        told: Float[Tensor, "n 70"],
        placed: Float[np.ndarray, "n points 2"],
    ) -> Float[np.ndarray, "n side side 3"]:
        """Squares, drawn in batches that fit into memory."""
        drawn, start = np.empty(guides.shape, np.float32), 0
        while start < len(guides):
            part = slice(start, start + self.batch)
            found = self._fitting(guides[part], told[part], placed[part])
            if found is not None:
                drawn[part], start = found, part.stop
        return drawn

    def _fitting(
        self,
        guides: UInt8[np.ndarray, "n side side 3"],
        told: Float[Tensor, "n 70"],
        placed: Float[np.ndarray, "n points 2"],
    ) -> Float[np.ndarray, "n side side 3"] | None:
        """The squares of a batch; None, and a smaller batch from now on, if it does not fit into memory."""
        try:
            return self._draw(guides, told, placed)
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
        placed: Float[np.ndarray, "n points 2"],
    ) -> Float[np.ndarray, "n side side 3"]:
        """Squares, 0 .. 255, drawn from the mesh renderer's."""
        shown, side = self._tensor(guides), self.config.side
        masks = np.stack([region_mask(face, side, "lips") for face in placed])
        lips = torch.from_numpy(masks)[:, None].to(self.settings.device)
        guide = self.networks.autoencoder.latents(shown) if self.config.unet.guide else None
        conditions = Conditions(told.to(self.settings.device), self.reference, guide)
        drawn = self.sampler(conditions, self.noise)
        pictures = (self.networks.pictures(self.reference, drawn, guide, shown, lips) + 1.0) * WHITE
        return pictures.permute(0, 2, 3, 1).float().cpu().numpy()


def _out_of_memory(error: Exception) -> bool:
    """Whether memory was what was missing: torch says so in its own error on a GPU, in words on a CPU."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in said for word in words)
