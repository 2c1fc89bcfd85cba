"""Speech features on their way into a network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from declaim.nn.transformer import ConvBlock


class SpeechPath(nn.Module):
    """Speech features to a network's width, with the heavy regularisation that few speakers ask for.

    Args:
        speech_dim: width of the features.
        dim: width of the result.
        layers: temporal convolutions.
        dropout: share of each convolution's output that is dropped, in training.
        speech_dropout: share of feature values that are zeroed, in training.
        noise: on the features, in their standard deviations, in training.
    """

    def __init__(
        self, speech_dim: int, dim: int, *, layers: int, dropout: float, speech_dropout: float, noise: float
    ) -> None:
        super().__init__()
        self.noise = noise
        self.dropout = nn.Dropout(speech_dropout)
        self.project = nn.Linear(speech_dim, dim)
        self.convs = nn.ModuleList(ConvBlock(dim, dropout=dropout) for _ in range(layers))

    def forward(self, speech: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames dim"]:
        """Turn normalised features into hidden states of the same frames."""
        if self.training and self.noise > 0.0:
            speech = speech + self.noise * torch.randn_like(speech)
        hidden: Tensor = self.project(self.dropout(speech))
        for conv in self.convs:
            hidden = conv(hidden)
        return hidden
