"""Picture features for FID and the perceptual distance: VGG16's convolutions.

picture, RGB 8 bits -> BGR minus the channel means -> block 1 .. block 5 (each after its last ReLU)
                                                       64   128  256  512  512 channels
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from declaim.assets import locate
from declaim.errors import CheckpointError, ConfigError
from declaim.pretrained import load_into

BLOCKS = ((3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3))
"""(input channels, output channels, convolutions) of the five blocks; 2x2 maxima between them."""

MEAN_BGR = (104.00699, 116.66877, 122.67892)
"""What the network was trained with, of 255."""

POOLED_BLOCK = 3
"""The block whose means over the picture are FID's vectors."""

SMALLEST = 32
"""Least side in pixels: block 5 then has 2x2 places."""

Picture = UInt8[np.ndarray, "height width 3"]


class VGG16Features(nn.Module):
    """The convolutional part of VGG16, ImageNet weights fine-tuned to find edges (MIT licence).

    It is not the VGG16 of LPIPS nor the Inception network of the usual FID: numbers made with it are comparable only
    with each other. Needs the asset ``vgg16-hed`` and the package h5py.

    Paper: Simonyan and Zisserman (ICLR 2015), configuration D; Xie and Tu (ICCV 2015) for the fine-tuning
    """

    mean: Tensor
    name = "VGG16-HED"
    asset = "vgg16-hed"

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_block(i, *sizes) for i, sizes in enumerate(BLOCKS))
        self.register_buffer("mean", torch.tensor(MEAN_BGR)[:, None, None], persistent=False)

    @classmethod
    def from_pretrained(cls, path: Path | None = None) -> "VGG16Features":
        """Load the network; from the asset cache if no file is given.

        Raises:
            AssetError: the asset is not on this machine.
            ConfigError: h5py is not installed.
            CheckpointError: the file holds other weights.
        """
        try:
            import h5py
        except ImportError as error:
            raise ConfigError("h5py is not installed; run: pip install 'declaim[evaluate]'") from error
        network, path = cls(), locate(cls.asset) if path is None else Path(path)
        weights: dict[str, Tensor] = {}
        try:
            with h5py.File(path) as file:
                for b, block in enumerate(network.blocks):
                    places = [n for n, layer in block.named_children() if isinstance(layer, nn.Conv2d)]
                    for i, place in enumerate(places):
                        saved = file[f"block{b + 1}/layers/conv2d{f'_{i}' if i else ''}/vars"]
                        # Keras keeps kernels as height, width, input, output.
                        weights[f"blocks.{b}.{place}.weight"] = torch.from_numpy(saved["0"][()]).permute(3, 2, 0, 1)
                        weights[f"blocks.{b}.{place}.bias"] = torch.from_numpy(saved["1"][()])
        except (OSError, KeyError) as error:
            raise CheckpointError(f"{path} does not hold the weights of {cls.name}: {error}") from error
        load_into(network, weights, path)
        return network.eval().requires_grad_(False)

    @torch.inference_mode()
    def blocks_of(self, pictures: UInt8[np.ndarray, "n height width 3"]) -> Iterator[Float[Tensor, "n channels h w"]]:
        """The activations after each of the five blocks.

        Raises:
            ConfigError: the pictures are smaller than 32x32.
        """
        if min(pictures.shape[1:3]) < SMALLEST:
            raise ConfigError(f"{self.name} needs pictures of at least {SMALLEST}x{SMALLEST} pixels")
        bgr = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).permute(0, 3, 1, 2).float() - self.mean
        for block in self.blocks:
            bgr = block(bgr)
            yield bgr

    def maps(
        self, pictures: Float[Tensor, "batch 3 height width"], blocks: int
    ) -> list[Float[Tensor, "batch channels h w"]]:
        """The first blocks' activations, every place's vector of length root of its channels; gradients flow through.

        Args:
            pictures: RGB, -1 .. 1.
            blocks: how many blocks, 1 to 5.
        """
        found, bgr = [], (pictures.flip(1) + 1.0) * 127.5 - self.mean
        for block in list(self.blocks)[:blocks]:
            bgr = block(bgr)
            found.append(nn.functional.normalize(bgr, dim=1) * bgr.shape[1] ** 0.5)
        return found

    def pooled(self, pictures: UInt8[np.ndarray, "n height width 3"]) -> Float[Tensor, "n 256"]:
        """One vector per picture, for FID: block 3 averaged over the picture.

        256 numbers, because the covariance of fewer pictures than numbers is singular, and small evaluations have some
        hundred pictures.
        """
        *_, wanted = islice(self.blocks_of(pictures), POOLED_BLOCK)
        return wanted.mean((2, 3))

    def appearance(self, pictures: UInt8[np.ndarray, "n height width 3"]) -> "Appearance":
        """What the network sees in pictures: for `Appearance.distance`, and the vectors of `pooled`."""
        pooled, blocks = torch.zeros(0), []
        for number, block in enumerate(self.blocks_of(pictures), 1):
            pooled = block.mean((2, 3)) if number == POOLED_BLOCK else pooled
            blocks.append(nn.functional.normalize(block, dim=1))
        return Appearance(pooled, tuple(blocks))

    def distance(self, picture: Picture, truth: Picture) -> float:
        """`Appearance.distance` of two pictures of one size."""
        return float(self.appearance(picture[None]).distance(self.appearance(truth[None]))[0])


@dataclass(frozen=True, eq=False)
class Appearance:
    """Some pictures, seen through the network.

    Attributes:
        pooled: a vector per picture, for FID.
        blocks: each block's activations, every place's vector of unit length.
    """

    pooled: Float[Tensor, "n 256"]
    blocks: tuple[Tensor, ...]

    def distance(self, truth: "Appearance") -> Float[Tensor, " n"]:
        """Perceptual distance of every picture to its true one: 0 for equal ones.

        The squared distances of the unit vectors are averaged over places and over the five blocks. All channels weigh
        the same (LPIPS learns weights from human votes).
        """
        pairs = zip(self.blocks, truth.blocks, strict=True)
        total = torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs])
        return total.mean(0)


def _block(number: int, inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.MaxPool2d(2, 2, ceil_mode=True)] if number else []
    for i in range(convolutions):
        layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)
