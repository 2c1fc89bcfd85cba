"""The frame stage's weights: the autoencoder alone, or with the UNet; saved as folders."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from declaim.assets import shipped
from declaim.errors import AssetError, CheckpointError, ConfigError
from declaim.pretrained import WEIGHTS_FILE, load_into, load_tensors, read_settings, save_network
from declaim.render.latent.autoencoder import Autoencoder
from declaim.render.latent.config import AutoencoderConfig, LatentConfig
from declaim.render.latent.unet import DiffusionUNet

AUTOENCODER_KIND, KIND = "latent autoencoder", "latent renderer"
SHIPPED = "latent-renderer"
TRAIN_AUTOENCODER = "declaim train latent-autoencoder --corpus CORPUS -o RUN"
"""The command that makes an autoencoder's weights."""
TRAIN_RENDERER = "declaim train latent-renderer --corpus CORPUS --set data.autoencoder=RUN/weights -o RUN2"
"""The command that makes the renderer's."""


def save_autoencoder(autoencoder: Autoencoder, folder: Path, card: str) -> None:
    """Write weights, units of the latents and card, in half precision."""
    save_network(folder, AUTOENCODER_KIND, autoencoder.config, autoencoder, card)


def load_autoencoder(folder: Path) -> Autoencoder:
    """Read what `save_autoencoder` wrote.

    Raises:
        CheckpointError: missing, damaged, or something else; says how to make one.
    """
    try:
        autoencoder = Autoencoder(read_settings(folder, AUTOENCODER_KIND, AutoencoderConfig))
        load_into(autoencoder, load_tensors(Path(folder) / WEIGHTS_FILE), Path(folder))
    except CheckpointError as error:
        raise CheckpointError(f"{error}; make an autoencoder with: {TRAIN_AUTOENCODER}") from error
    return autoencoder.eval()


class LatentNetworks(nn.Module):
    """Autoencoder and UNet together: all that the renderer needs.

    Args:
        config: sizes and process.
        autoencoder: an autoencoder of those sizes; a new one if None.

    Raises:
        ConfigError: the autoencoder has other sizes.
    """

    def __init__(self, config: LatentConfig, autoencoder: Autoencoder | None = None) -> None:
        super().__init__()
        if autoencoder is not None and autoencoder.config != config.autoencoder:
            raise ConfigError(
                "the autoencoder has other sizes than the settings say; take its own (network.autoencoder)"
            )
        self.config = config
        self.autoencoder = autoencoder or Autoencoder(config.autoencoder)
        self.unet = DiffusionUNet(config.unet, config.autoencoder.channels, config.diffusion_steps)

    @classmethod
    def from_pretrained(cls, folder: Path | None = None) -> "LatentNetworks":
        """Read a folder written by `save_pretrained`; the weights that ship with declaim if none is given.

        Raises:
            AssetError: no weights ship.
            CheckpointError: missing, damaged, or something else. Both say how to make some.
        """
        try:
            place = shipped(SHIPPED) if folder is None else Path(folder)
        except AssetError as error:
            raise AssetError(
                f"declaim ships no weights for the latent renderer; make some with: {TRAIN_AUTOENCODER}, then: "
                f"{TRAIN_RENDERER}"
            ) from error
        try:
            networks = cls(read_settings(place, KIND, LatentConfig))
            load_into(networks, load_tensors(place / WEIGHTS_FILE), place)
        except CheckpointError as error:
            raise CheckpointError(f"{error}; make weights with: {TRAIN_AUTOENCODER}, then: {TRAIN_RENDERER}") from error
        return networks.eval().requires_grad_(False)

    def pictures(
        self,
        reference: Float[Tensor, "#batch channels h w"],
        drawn: Float[Tensor, "batch channels h w"],
        guide: Float[Tensor, "batch channels h w"] | None = None,
        shown: Float[Tensor, "batch 3 height width"] | None = None,
        lips: Float[Tensor, "batch 1 height width"] | None = None,
    ) -> Float[Tensor, "batch 3 height width"]:
        """Pictures, about -1 .. 1, of drawn latents; with the guide's detail if the settings say so.

        Args:
            reference: latent of the portrait's square.
            drawn: what the UNet gave.
            guide: latents of the mesh renderer's squares.
            shown: those squares themselves.
            lips: where the mesh renderer's own detail is not wanted, 1; nowhere if left out.
        """
        decoded = self.autoencoder.pictures(reference, drawn)
        if not self.config.detail:
            return decoded
        if guide is None or shown is None:
            raise ConfigError("the settings ask for the guide's detail (detail = true), and no guide was given")
        lost = shown - self.autoencoder.pictures(reference, guide)
        return decoded + (lost if lips is None else lost * (1.0 - lips))

    def save_pretrained(self, folder: Path, card: str = "") -> None:
        """Write the folder (half precision) with its card."""
        save_network(folder, KIND, self.config, self, card)
