"""Whisper's audio encoder (Radford et al. 2022, section 2.2), written out so that start-up needs no large library.

It equals transformers' ``WhisperEncoder`` (tests/audio/test_whisper.py); the weights come from a CTranslate2 file.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from declaim.audio.ctranslate2 import read_model
from declaim.audio.threads import ALONE, Threads
from declaim.errors import CheckpointError

N_STEPS = 1500
"""Positions of the encoder: 30 s at 50 Hz."""


class WhisperLayer(nn.Module):
    """One pre-norm transformer layer; queries, keys and values come from one fused projection."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp_norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)

    def forward(
        self, x: Float[Tensor, "batch steps dim"], wanted: int, threads: Threads = ALONE
    ) -> Float[Tensor, "batch wanted dim"]:
        """Mix the steps with each other, then transform each on its own, the first ``wanted`` of them."""
        batch, steps, dim = x.shape
        qkv = threads.halved(lambda rows: self.qkv(self.attention_norm(rows)), x)
        q, k, v = qkv.view(batch, steps, 3, self.heads, dim // self.heads).unbind(2)
        k, v = k.transpose(1, 2), v.transpose(1, 2)

        def transformed(x: Tensor, q: Tensor) -> Tensor:
            attended = functional.scaled_dot_product_attention(q.transpose(1, 2), k, v).transpose(1, 2).flatten(2)
            x = x + self.out(attended)
            result: Tensor = x + self.down(functional.gelu(self.up(self.mlp_norm(x))))
            return result

        return threads.halved(transformed, x[:, :wanted], q[:, :wanted])


class WhisperEncoder(nn.Module):
    """The encoder: two convolutions, sinusoidal positions, pre-norm layers, a closing norm.

    Args:
        dim: width.
        heads: attention heads.
        layers: number of layers.
        mels: mel bands.
        steps: positions, at 50 Hz.
    """

    def __init__(self, dim: int = 384, heads: int = 6, layers: int = 4, mels: int = 80, steps: int = N_STEPS) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(mels, dim, 3, padding=1)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=2, padding=1)
        self.register_buffer("positions", torch.zeros(steps, dim))
        self.positions: Tensor
        self.layers = nn.ModuleList(WhisperLayer(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        mel: Float[Tensor, "batch mels columns"],
        layers: int | None = None,
        wanted: int | None = None,
        threads: Threads = ALONE,
    ) -> list[Float[Tensor, "batch _ dim"]]:
        """The output of the first ``layers`` layers (all by default); the very last is normalised for the decoder.

        Of the last one of them only the first ``wanted`` steps (all by default) are computed: the others are padding.
        """
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        states, asked = [], list(self.layers)[:layers]
        for layer in asked:
            x = layer(x, x.shape[1] if wanted is None or layer is not asked[-1] else wanted, threads)
            states.append(x)
        if len(states) == len(self.layers):
            states[-1] = self.norm(states[-1])
        return states


def _module_tensors(tensors: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """CTranslate2's names turned into this module's."""
    modules = {"conv1": "encoder/conv1", "conv2": "encoder/conv2", "norm": "encoder/layer_norm"}
    for i in range(layers):
        attention, mlp = f"encoder/layer_{i}/self_attention", f"encoder/layer_{i}/ffn"
        modules |= {
            f"layers.{i}.attention_norm": f"{attention}/layer_norm", f"layers.{i}.mlp_norm": f"{mlp}/layer_norm",
            f"layers.{i}.qkv": f"{attention}/linear_0", f"layers.{i}.out": f"{attention}/linear_1",
            f"layers.{i}.up": f"{mlp}/linear_0", f"layers.{i}.down": f"{mlp}/linear_1",
        }  # fmt: skip
    state = {"positions": tensors["encoder/position_encodings/encodings"]}
    for ours, theirs in modules.items():
        kind = ("gamma", "beta") if ours.endswith("norm") else ("weight", "bias")
        state[f"{ours}.weight"], state[f"{ours}.bias"] = (tensors[f"{theirs}/{k}"] for k in kind)
    return state


def load_encoder(model_bin: Path) -> WhisperEncoder:
    """The encoder of a Whisper model saved by CTranslate2, in evaluation mode, sizes taken from the file.

    Raises:
        CheckpointError: the file is no whole Whisper model.
    """
    tensors = read_model(model_bin, prefix="encoder/")
    try:
        layers = sum(name.endswith("self_attention/linear_0/weight") for name in tensors)
        dim, mels, _ = tensors["encoder/conv1/weight"].shape
        steps = tensors["encoder/position_encodings/encodings"].shape[0]
        encoder = WhisperEncoder(dim, dim // 64, layers, mels, steps)
        encoder.load_state_dict(_module_tensors(tensors, layers), strict=True)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{model_bin} is no Whisper model: {str(error).splitlines()[-1]}") from error
    return encoder.eval().requires_grad_(False)
