"""The sync expert: speech, lip motion and mouth pictures embedded in one space, near where they belong together."""

from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from declaim.assets import shipped
from declaim.errors import ConfigError
from declaim.face.layouts import N_EXPRESSION
from declaim.pretrained import WEIGHTS_FILE, load_into, load_tensors, read_settings, save_network
from declaim.sync.config import SyncConfig
from declaim.sync.network import PictureReader, Tower, gray
from declaim.sync.offsets import active_windows, distance_curve, lse_c, offset, whole_windows

KIND = "sync-expert"


class SyncExpert(nn.Module):
    """Embeds windows of `SyncConfig.window` frames as unit vectors.

    Args:
        config: sizes.
        lip_basis: directions in b; see `declaim.face.anatomy.lip_directions`. The first ones if left out.
    """

    speech_mean: Tensor
    speech_std: Tensor
    lip_basis: Tensor
    lip_mean: Tensor
    lip_std: Tensor

    def __init__(self, config: SyncConfig, lip_basis: Float[Tensor, "expression directions"] | None = None) -> None:
        super().__init__()
        self.config = config
        size, n = config.embedding, config.lip_directions
        self.register_buffer("speech_mean", torch.zeros(config.speech_dim))
        self.register_buffer("speech_std", torch.ones(config.speech_dim))
        self.register_buffer("lip_basis", torch.eye(N_EXPRESSION, n) if lip_basis is None else lip_basis)
        self.register_buffer("lip_mean", torch.zeros(n))
        self.register_buffer("lip_std", torch.ones(n))
        self.speech = Tower(config.speech_dim, config.speech_width, size, config.kernels, config.speech_dropout)
        self.motion = Tower(n, config.motion_width, size, config.kernels, config.motion_dropout)
        self.log_scale = nn.Parameter(torch.tensor(2.3))
        if config.picture_channels:
            self.reader = PictureReader(config.picture_channels, config.picture_width)
            self.pictures = Tower(
                config.picture_width, config.picture_width, size, config.kernels, config.motion_dropout
            )

    @property
    def window(self) -> int:
        """Frames that one embedding sees."""
        return self.config.window

    def embed_speech(self, features: Float[Tensor, "*batch frames features"]) -> Float[Tensor, "*batch windows dim"]:
        """Embeddings of every window of speech features (those of `SyncConfig.encoder`).

        Raises:
            ConfigError: fewer frames than a window, or features of another encoder.
        """
        if features.shape[-1] != self.config.speech_dim:
            raise ConfigError(
                f"the sync expert reads {self.config.speech_dim} features of {self.config.encoder}, "
                f"got {features.shape[-1]}"
            )
        return self._embed(self.speech, (features - self.speech_mean) / self.speech_std)

    def embed_motion(self, values: Float[Tensor, "*batch frames dim"]) -> Float[Tensor, "*batch windows size"]:
        """Embeddings of every window of motion in the face64 layout, or of its expression b alone.

        Gradients flow to ``values``: it can judge what a network generates.

        Paper: FD2Talk (MM 2024), lip expert of eqs. 10-11.

        Raises:
            ConfigError: fewer frames than a window, or fewer columns than b.
        """
        if values.shape[-1] < N_EXPRESSION:
            raise ConfigError(f"motion has {values.shape[-1]} columns; expected at least the {N_EXPRESSION} of b")
        lips = values[..., :N_EXPRESSION] @ self.lip_basis
        return self._embed(self.motion, (lips - self.lip_mean) / self.lip_std)

    def embed_pictures(self, pictures: Tensor) -> Float[Tensor, "*batch windows size"]:
        """Embeddings of every window of gray mouth pictures, see `declaim.sync.pictures`.

        Args:
            pictures: ``(*batch, frames, 48, 80)``; 0 .. 255 as uint8 or 0 .. 1 as float.

        Raises:
            ConfigError: fewer frames than a window, or the weights have no picture head.
        """
        if not self.config.picture_channels:
            raise ConfigError("these sync expert weights have no picture head; use others, or embed motion")
        batch = pictures.shape[:-3]
        self._check_length(pictures.shape[-3])
        embedded: Tensor = self.pictures(self.reader(gray(pictures.reshape(batch.numel(), *pictures.shape[-3:]))))
        return embedded.view(*batch, *embedded.shape[1:])

    def _embed(self, tower: nn.Module, rows: Tensor) -> Tensor:
        self._check_length(rows.shape[-2])
        batch = rows.shape[:-2]
        embedded: Tensor = tower(rows.reshape(batch.numel(), *rows.shape[-2:]))
        return embedded.view(*batch, *embedded.shape[1:])

    def _check_length(self, frames: int) -> None:
        if frames < self.window:
            raise ConfigError(f"{frames} frames are too few to judge sync; expected at least {self.window}")

    @torch.no_grad()
    def curve(
        self,
        features: Float[Tensor, "frames features"],
        values: Float[Tensor, "frames dim"],
        valid: Bool[Tensor, " frames"] | None = None,
        speaking: Bool[Tensor, " frames"] | None = None,
    ) -> Float[Tensor, " offsets"]:
        """Distance curve of a clip's speech and motion, offsets -15 .. 15.

        Args:
            features: speech features.
            values: motion of the same frames; if one is longer, its tail is left out.
            valid: frames in which the face was seen; all by default.
            speaking: frames in which somebody speaks; if given, windows of speech that are mostly silent do not count
                (they fit every closed mouth and flatten the curve), unless too few others are left.

        Raises:
            ConfigError: too short a clip, or the face is seen too rarely.
        """
        n = min(len(features), len(values))
        return self._curve(features[:n], self.embed_motion(values[:n]), valid, speaking)

    @torch.no_grad()
    def picture_curve(
        self,
        features: Float[Tensor, "frames features"],
        pictures: Tensor,
        valid: Bool[Tensor, " frames"] | None = None,
        speaking: Bool[Tensor, " frames"] | None = None,
    ) -> Float[Tensor, " offsets"]:
        """Distance curve of a clip's speech and mouth pictures; see `curve`."""
        n = min(len(features), len(pictures))
        return self._curve(features[:n], self.embed_pictures(pictures[:n]), valid, speaking)

    def _curve(self, features: Tensor, seen: Tensor, valid: Tensor | None, speaking: Tensor | None) -> Tensor:
        speech, n = self.embed_speech(features), len(features)
        counts = None if valid is None else whole_windows(valid[:n], self.window)
        if speaking is not None and len(speaking) >= n:
            heard = active_windows(speaking[:n], self.window)
            try:
                return distance_curve(speech, seen, counts=counts, speech_counts=heard)
            except ConfigError:  # too little speech for some of the offsets
                pass
        return distance_curve(speech, seen, counts=counts)

    def offset(
        self,
        features: Float[Tensor, "frames features"],
        values: Float[Tensor, "frames dim"],
        valid: Bool[Tensor, " frames"] | None = None,
        speaking: Bool[Tensor, " frames"] | None = None,
    ) -> tuple[int, float]:
        """Frames by which the picture comes late (negative: early), and how sure that is (LSE-C).

        Arguments and errors are those of `curve`.
        """
        curve = self.curve(features, values, valid, speaking)
        return offset(curve), lse_c(curve)

    @classmethod
    def from_pretrained(cls, folder: Path | None = None) -> "SyncExpert":
        """Read a folder written by `save_pretrained`; the weights that ship with declaim if none is given.

        Raises:
            CheckpointError: the folder holds no sync expert of this format.
        """
        folder = shipped(KIND) if folder is None else Path(folder)
        expert = cls(read_settings(folder, KIND, SyncConfig))
        load_into(expert, load_tensors(folder / WEIGHTS_FILE), folder)
        return expert.eval().requires_grad_(False)

    def save_pretrained(self, folder: Path, card: str = "") -> None:
        """Write the folder (half precision) with its card."""
        save_network(folder, KIND, self.config, self, card)
