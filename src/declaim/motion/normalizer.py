"""Units of the network: speech features and motion brought to zero mean and unit variance, and the lips' directions."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import CheckpointError
from declaim.face.layouts import N_EXPRESSION
from declaim.motion.eyes import Eyes
from declaim.pretrained import load_tensors, save_tensors

NORMALIZER_FILE = "normalizer.safetensors"
EYES = "eyes"
"""Field whose tensors are saved as ``eyes.NAME``."""
NO_CONTRAST = torch.tensor([0.0, 1.0])
"""A `Normalizer.pose_contrast` that changes nothing."""


@dataclass(frozen=True, eq=False)
class Normalizer:
    """What was measured on the training footage.

    Attributes:
        speech_mean: of every speech feature.
        speech_std: of every speech feature.
        motion_mean: of every motion column.
        motion_std: of every motion column.
        lip_basis: orthonormal directions in b that move the lips.
        lip_factor: ``|db @ lip_factor|^2`` is the lip points' squared error relative to their variance.
        opening: ``b @ opening`` is the opening of the mouth in its standard deviations.
        pose_filter: what the pose is convolved with in the end: it gives heads the speed that people's have, at every
            frequency (`declaim.motion.calibrate`).
        pose_contrast: how much larger nods are made in lively moments than in calm ones
            (`declaim.motion.liveliness.enlivened`).
        eyes: when and how people blink, where they look.
    """

    speech_mean: Float[Tensor, " features"]
    speech_std: Float[Tensor, " features"]
    motion_mean: Float[Tensor, " dim"]
    motion_std: Float[Tensor, " dim"]
    lip_basis: Float[Tensor, "expression directions"]
    lip_factor: Float[Tensor, "expression rows"]
    opening: Float[Tensor, " expression"]
    pose_filter: Float[Tensor, " taps"]
    pose_contrast: Float[Tensor, " 2"]
    eyes: Eyes

    @classmethod
    def identity(cls, speech_dim: int, dim: int) -> "Normalizer":
        """Nothing measured: every unit is 1, lips are the first directions."""
        eye = torch.eye(N_EXPRESSION)
        return cls(
            torch.zeros(speech_dim), torch.ones(speech_dim), torch.zeros(dim), torch.ones(dim),
            eye[:, :8].clone(), eye[:, :8].clone(), eye[0].clone(), torch.ones(1), NO_CONTRAST, Eyes.identity(),
        )  # fmt: skip

    def to(self, device: torch.device | str) -> "Normalizer":
        """The same on a device."""
        return Normalizer(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def normal_speech(self, speech: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        """Speech features in standard deviations."""
        return (speech - self.speech_mean) / self.speech_std

    def normal_motion(self, motion: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Motion in standard deviations."""
        return (motion - self.motion_mean) / self.motion_std

    def raw_motion(self, normal: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """The inverse of `normal_motion`."""
        return normal * self.motion_std + self.motion_mean

    def scale_lips(
        self, normal: Float[Tensor, "*batch expression"], factor: float
    ) -> Float[Tensor, "*batch expression"]:
        """Normalised expressions with their part along the lip directions multiplied by ``factor``."""
        return normal + (factor - 1.0) * self.along_lips(normal)

    def along_lips(self, normal: Float[Tensor, "*batch expression"]) -> Float[Tensor, "*batch expression"]:
        """The part of normalised expressions that moves the lips."""
        std = self.motion_std[:N_EXPRESSION]
        part: Tensor = (normal * std) @ self.lip_basis @ self.lip_basis.T / std
        return part

    def lips_of(self, normal: Float[Tensor, "*batch columns"]) -> Float[Tensor, "*batch columns"]:
        """`along_lips` for normalised motion that has the expression first: nothing in the other columns."""
        part = torch.zeros_like(normal)
        part[..., :N_EXPRESSION] = self.along_lips(normal[..., :N_EXPRESSION])
        return part

    @property
    def _lip_scale(self) -> Float[Tensor, " directions"]:
        """Standard deviations of the lip coordinates if b's columns were independent."""
        scale: Tensor = (self.motion_std[:N_EXPRESSION, None] * self.lip_basis).square().sum(0).sqrt()
        return scale

    def lip_coordinates(self, normal: Float[Tensor, "*batch expression"]) -> Float[Tensor, "*batch directions"]:
        """Where normalised expressions lie along the lip directions, near unit variance."""
        coordinates: Tensor = (normal * self.motion_std[:N_EXPRESSION]) @ self.lip_basis / self._lip_scale
        return coordinates

    def from_lip_coordinates(self, lips: Float[Tensor, "*batch directions"]) -> Float[Tensor, "*batch expression"]:
        """Normalised expressions with these `lip_coordinates` and nothing else."""
        normal: Tensor = (lips * self._lip_scale) @ self.lip_basis.T / self.motion_std[:N_EXPRESSION]
        return normal

    def save(self, folder: Path) -> None:
        """Write ``normalizer.safetensors``."""
        own = {name: value for name, value in vars(self).items() if name != EYES}
        save_tensors(folder / NORMALIZER_FILE, own | {f"{EYES}.{k}": v for k, v in vars(self.eyes).items()})

    @classmethod
    def load(cls, folder: Path) -> "Normalizer":
        """Read what `save` wrote.

        Raises:
            CheckpointError: missing or of another kind.
        """
        return cls.from_tensors(load_tensors(Path(folder) / NORMALIZER_FILE), folder)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], origin: Path) -> "Normalizer":
        """From named tensors.

        Raises:
            CheckpointError: names differ.
        """
        eyes = [f"{EYES}.{field.name}" for field in fields(Eyes)]
        own = [field.name for field in fields(cls) if field.name != EYES]
        tensors = {"pose_contrast": NO_CONTRAST, **tensors}  # folders made before there was one
        if set(tensors) != {*own, *eyes}:
            raise CheckpointError(f"{origin} holds {sorted(tensors)}, expected {sorted([*own, *eyes])}")
        return cls(
            **{name: tensors[name].float() for name in own},
            eyes=Eyes(*(tensors[name].float() for name in eyes)),
        )
