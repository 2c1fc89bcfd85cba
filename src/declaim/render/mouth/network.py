"""The network that redraws mouths: patches of the mesh renderer's picture and of the portrait become a new patch.

guide, portrait --> 1/2 --> 1/4 --> 1/8 --> 1/4 --> 1/2 --> residual, mask --> guide + window * mask * residual
                     ^       ^       ^
portrait ---------> 1/2 --> 1/4 --> 1/8      once a clip; the coefficients steer every block of the guide's way
"""

from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from declaim.assets import shipped
from declaim.errors import AssetError
from declaim.pretrained import WEIGHTS_FILE, load_into, load_tensors, read_settings, save_network
from declaim.render.coefficients import N_COEFFICIENTS
from declaim.render.mouth.config import MouthNetworkConfig
from declaim.render.patches import window

KIND = "mouth renderer"
SHIPPED = "mouth-renderer"
BLUR = 9
"""Pixels over which what is erased of the guide is averaged: teeth of the mesh renderer go, their colour stays."""
FARTHEST = 6.0
"""Coefficients are cut at this: wilder ones were never seen."""


class Block(nn.Module):
    """Two convolutions beside a short cut, the first steered by what the network is told.

    Args:
        channels: of input and output.
        told: width of what steers; 0 for none.
    """

    def __init__(self, channels: int, told: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        self.steer = nn.Linear(told, 2 * channels) if told else None
        if self.steer is not None:
            nn.init.zeros_(self.steer.weight)
            nn.init.zeros_(self.steer.bias)

    def forward(self, x: Float[Tensor, "n channels h w"], told: Tensor | None = None) -> Tensor:
        """The block's output."""
        inner = self.first(functional.silu(x))
        if self.steer is not None and told is not None:
            gain, shift = self.steer(told)[..., None, None].chunk(2, 1)
            inner = inner * (1 + gain) + shift
        out: Tensor = x + self.second(functional.silu(inner))
        return out


class Descent(nn.Module):
    """From a patch to features at each scale.

    Args:
        config: sizes.
        pictures: how many pictures are read.
        told: width of what steers; 0 for none.
    """

    def __init__(self, config: MouthNetworkConfig, pictures: int, told: int) -> None:
        super().__init__()
        sizes = config.channels
        self.enter = nn.Conv2d(12 * pictures, sizes[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(sizes))
        self.levels = nn.ModuleList(
            nn.ModuleList(Block(size, told) for _ in range(count))
            for size, count in zip(sizes, config.blocks, strict=True)
        )

    def forward(
        self, pictures: Float[Tensor, "n c h w"], told: Tensor | None, added: list[Tensor] | None
    ) -> list[Tensor]:
        """Features at each scale; ``added`` joins them."""
        x, found = self.enter(functional.pixel_unshuffle(pictures, 2)), []
        for number, level in enumerate(self.levels):
            x = self.down[number - 1](x) if number else x
            x = x if added is None else x + added[number]
            for block in level.children():
                x = block(x, told)
            found.append(x)
        return found


class MouthNetwork(nn.Module):
    """Redraws the mouth's patch. Untrained, it gives the guide back.

    Args:
        config: sizes.
    """

    window: Tensor

    def __init__(self, config: MouthNetworkConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.channels
        self.portrait = Descent(config, 1, 0)
        self.guide = Descent(config, 2, config.told)
        self.told = nn.Sequential(
            nn.Linear(2 * N_COEFFICIENTS, config.told), nn.SiLU(), nn.Linear(config.told, config.told), nn.SiLU()
        )
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(sizes))
        self.levels = nn.ModuleList(
            nn.ModuleList(Block(size, config.told) for _ in range(count))
            for size, count in zip(sizes[:-1], config.blocks, strict=False)
        )
        self.leave = nn.Conv2d(sizes[0], 16, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)
        self.register_buffer("window", window(config.patch_px, config.feather), persistent=False)

    def look(self, portrait: Float[Tensor, "n 3 side side"]) -> list[Tensor]:
        """What is to be known of portraits: once a clip."""
        found: list[Tensor] = self.portrait(portrait - 0.5, None, None)
        return found

    def change(
        self,
        guide: Float[Tensor, "n 3 side side"],
        portrait: Float[Tensor, "n 3 side side"],
        looks: list[Tensor],
        coefficients: Float[Tensor, "n 70"],
        own: Float[Tensor, "n 70"],
    ) -> Float[Tensor, "n 3 side side"]:
        """What to add to the guide.

        Args:
            guide: the mesh renderer's patches, 0 to 1.
            portrait: the portrait's, likewise.
            looks: `look` of these.
            coefficients: see `declaim.render.coefficients`.
            own: the portrait's.
        """
        told = self.told(torch.cat([coefficients, coefficients - own], 1).clamp(-FARTHEST, FARTHEST))
        found = self.guide(torch.cat([guide, portrait], 1) - 0.5, told, looks)
        x = found.pop()
        for number in range(len(found) - 1, -1, -1):
            x = functional.pixel_shuffle(self.up[number](x), 2) + found[number]
            for block in self.levels[number].children():
                x = block(x, told)
        out = self.leave(functional.silu(x))
        added, erased = functional.pixel_shuffle(out[:, :12], 2), functional.pixel_shuffle(out[:, 12:], 2)
        blurred = functional.avg_pool2d(guide, BLUR, 1, BLUR // 2, count_include_pad=False)
        return self.window * (added + torch.tanh(erased) * (blurred - guide))

    def forward(
        self,
        guide: Float[Tensor, "n 3 side side"],
        portrait: Float[Tensor, "n 3 side side"],
        coefficients: Float[Tensor, "n 70"],
        own: Float[Tensor, "n 70"],
    ) -> Float[Tensor, "n 3 side side"]:
        """New patches; see `change`."""
        return guide + self.change(guide, portrait, self.look(portrait), coefficients, own)

    @classmethod
    def from_pretrained(cls, folder: Path | None = None) -> "MouthNetwork":
        """Read a folder written by `save_pretrained`; the weights that ship with declaim if none is given.

        Raises:
            AssetError: no weights ship with this declaim.
            CheckpointError: the folder holds no mouth renderer of this format.
        """
        try:
            folder = shipped(SHIPPED) if folder is None else Path(folder)
        except AssetError as error:
            raise AssetError(
                "declaim ships no weights of the mouth renderer; train some with: "
                "declaim train mouth-renderer --corpus CORPUS -o RUN"
            ) from error
        network = cls(read_settings(folder, KIND, MouthNetworkConfig))
        load_into(network, load_tensors(folder / WEIGHTS_FILE), folder)
        return network.eval().requires_grad_(False)

    def save_pretrained(self, folder: Path, card: str = "") -> None:
        """Write the folder (half precision) with its card."""
        save_network(folder, KIND, self.config, self, card)
