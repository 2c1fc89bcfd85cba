"""The sync expert's towers: temporal convolutions without padding, so that an embedding sees its window and no more."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

PICTURE_SIZE = (48, 80)
"""Height and width in pixels of a mouth picture."""


class Tower(nn.Module):
    """Frames to unit vectors, one for every window.

        frames   0 1 2 3 4 5 6 7 8 9 10
        out      [------- 0 -------]
                   [------- 1 -------]

    Args:
        inputs: columns of a frame.
        width: channels.
        embedding: size of the result.
        kernels: frames of each convolution.
        dropout: share of each convolution's output that is dropped in training.
    """

    def __init__(self, inputs: int, width: int, embedding: int, kernels: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in kernels)
        self.convs = nn.ModuleList(nn.Conv1d(width, width, kernel) for kernel in kernels)
        self.dropout = nn.Dropout(dropout)
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Linear(width, embedding))

    def forward(self, x: Float[Tensor, "batch frames inputs"]) -> Float[Tensor, "batch windows embedding"]:
        """Embed every window."""
        x = self.enter(x)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            mixed = conv(norm(x).transpose(1, 2)).transpose(1, 2)
            before = (x.shape[1] - mixed.shape[1]) // 2
            x = x[:, before : before + mixed.shape[1]] + self.dropout(functional.gelu(mixed))
        return functional.normalize(self.leave(x), dim=-1)


class PictureReader(nn.Module):
    """One mouth picture to one row: strided convolutions, then a linear layer.

    Args:
        channels: of the convolutions; the first takes a quarter of the picture's sides, each other one half of them.
        outputs: size of the row.
    """

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        height, width = PICTURE_SIZE
        layers: list[nn.Module] = []
        for before, after in zip((1, *channels), channels, strict=False):
            conv = nn.Conv2d(1, after, 7, 4, 3) if before == 1 else nn.Conv2d(before, after, 3, 2, 1)
            layers += [conv, nn.GroupNorm(max(1, after // 8), after), nn.GELU()]
            height, width = (side // 4 if before == 1 else (side + 1) // 2 for side in (height, width))
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * height * width, outputs))

    def forward(self, pictures: Float[Tensor, "batch frames height width"]) -> Float[Tensor, "batch frames outputs"]:
        """Read every picture, its own mean brightness and contrast taken out."""
        batch, frames = pictures.shape[:2]
        flat = pictures.flatten(0, 1)[:, None]
        centred = flat - flat.mean((2, 3), keepdim=True)
        contrast = centred.square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-2)
        rows: Tensor = self.layers(centred / contrast)
        return rows.view(batch, frames, rows.shape[-1])


def gray(pictures: Tensor) -> Float[Tensor, "*batch"]:
    """Gray pictures as 0 .. 1, whatever they were stored as."""
    return pictures.float() / 255.0 if pictures.dtype == torch.uint8 else pictures.float()
