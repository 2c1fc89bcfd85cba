"""Networks of the audio-to-visual prior: lip space, non-lip space, and the prior over the latter given speech."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from declaim.methods.a2v_prior.config import A2VPriorConfig, LipSpaceConfig, PriorConfig
from declaim.motion.parts import face_and_pose
from declaim.nn.embeddings import StepEmbedding, places
from declaim.nn.transformer import ConvBlock


class LipSpace(nn.Module):
    """Speech and lips as points of one space, and the way back to lips.

        speech ─► hear ─┐
                        ├─► embedding ─► speak ─► lips
        lips   ─► see ──┘

    Args:
        speech_dim: width of the speech features.
        directions: lip coordinates.
        config: sizes.
    """

    def __init__(self, speech_dim: int, directions: int, config: LipSpaceConfig) -> None:
        super().__init__()
        dim, size = config.dim, config.embedding
        self.path = config.speech_path(speech_dim, config.layers)
        self.hear_out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, size))
        self.see = nn.Sequential(nn.Linear(directions, dim), ConvBlock(dim), nn.LayerNorm(dim), nn.Linear(dim, size))
        blocks = (ConvBlock(dim, dropout=config.dropout) for _ in range(config.layers))
        self.speak = nn.Sequential(nn.Linear(size, dim), *blocks, nn.LayerNorm(dim), nn.Linear(dim, directions))
        self.log_scale = nn.Parameter(torch.tensor(2.3))

    def hear(self, speech: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames embedding"]:
        """Where speech lies in the space."""
        embedded: Tensor = self.hear_out(self.path(speech))
        return embedded


class NonLipSpace(nn.Module):
    """Everything but the lips as an embedding, frame by frame, and back.

    Face and pose keep numbers of their own: many speakers' heads are still and teach no pose.

    Args:
        face: expression columns.
        pose: pose columns.
        config: sizes.
    """

    def __init__(self, face: int, pose: int, config: A2VPriorConfig) -> None:
        super().__init__()
        self.columns = (face, pose)
        self.sizes = (config.face_embedding, config.pose_embedding)
        self.encoders = nn.ModuleList(_two_layers(*ends) for ends in zip(self.columns, self.sizes, strict=True))
        self.decoders = nn.ModuleList(_two_layers(*ends) for ends in zip(self.sizes, self.columns, strict=True))

    def encode(self, motion: Float[Tensor, "*batch columns"]) -> Float[Tensor, "*batch embedding"]:
        """The embedding of normalised motion without its lips."""
        parts = face_and_pose(motion, self.columns[0])
        return torch.cat([e(x) for e, x in zip(self.encoders, parts, strict=True)], -1)

    def decode(self, embedding: Float[Tensor, "*batch embedding"]) -> Float[Tensor, "*batch columns"]:
        """Normalised motion without lips."""
        parts = face_and_pose(embedding, self.sizes[0])
        return torch.cat([d(f) for d, f in zip(self.decoders, parts, strict=True)], -1)


class PriorTransformer(nn.Module):
    """P(non-lip embedding | speech): one sequence of step, speech and motion tokens.

        tokens    step │ speech 0 1 2 … │ motion 0 1 2 …
        diffusion       every token sees every token; motion enters noisy, or clean in the prefix
        autoregressive  motion token i sees all speech and the motion tokens up to i; it enters as frame i - 1

    Args:
        columns: of the embedding.
        speech_dim: width of the speech features.
        steps: steps of the diffusion process.
        config: sizes.
    """

    def __init__(self, columns: int, speech_dim: int, steps: int, config: PriorConfig) -> None:
        super().__init__()
        dim = config.dim
        self.causal = config.kind == "autoregressive"
        self.path = config.speech_path(speech_dim, config.speech_layers)
        self.step = StepEmbedding(dim, steps)
        self.enter = nn.Linear(columns + 1, dim)
        self.kinds = nn.Parameter(0.02 * torch.randn(2, dim))
        layer = nn.TransformerEncoderLayer(
            dim, config.heads, 4 * dim, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.leave = nn.Linear(dim, columns * (2 if self.causal else 1))

    def embed(self, steps: Int[Tensor, " batch"]) -> Float[Tensor, "batch dim"]:
        """The step token."""
        token: Tensor = self.step(steps)
        return token

    def listen(self, speech: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames dim"]:
        """The speech tokens: they do not depend on the diffusion step."""
        heard: Tensor = self.path(speech)
        return heard + places(*heard.shape[1:], heard.device) + self.kinds[0]

    def forward(
        self,
        x_t: Float[Tensor, "batch frames columns"],
        step: Float[Tensor, "batch dim"],
        heard: Float[Tensor, "batch frames dim"],
        given: Bool[Tensor, "batch frames"],
        since: int = 0,
    ) -> Float[Tensor, "batch asked outputs"]:
        """The clean embedding; for the autoregressive prior, every frame's mean and the logarithm of its variance.

        Args:
            x_t: noisy embedding, clean where ``given``; for the autoregressive prior, the embedding a frame earlier.
            step: what `embed` made of each sequence's diffusion step; the autoregressive prior's is always 0.
            heard: what `listen` made of the speech.
            given: True in the prefix.
            since: first frame whose estimate is asked for.
        """
        frames = x_t.shape[1]
        entered = self.enter(torch.cat([x_t, given[..., None].to(x_t.dtype)], -1))
        entered = entered + places(*entered.shape[1:], x_t.device) + self.kinds[1]
        tokens, asked = torch.cat([step[:, None], heard, entered], 1), frames - since
        if self.training or self.causal:
            mask = _causal_mask(frames, x_t.device) if self.causal else None
            seen = self.layers(tokens, mask)[:, -asked:]
        else:
            *before, last = self.layers.layers
            for layer in before:
                tokens = _updated(layer, tokens, *_offered(layer, tokens))
            q, k, v = _offered(last, tokens)
            seen = self.layers.norm(_updated(last, tokens[:, -asked:], q[:, :, -asked:], k, v))
        estimate: Tensor = self.leave(seen)
        return estimate


class Continuation:
    """The autoregressive prior frame by frame: what earlier tokens are asked for is kept, so a frame costs one token.

    Gives what `PriorTransformer.forward` gives for the whole sequence.

    Args:
        prior: causal, in evaluation mode.
        heard: what its `listen` made of the window's speech.
    """

    def __init__(self, prior: PriorTransformer, heard: Float[Tensor, "batch frames dim"]) -> None:
        self.prior = prior
        self._places = places(*heard.shape[1:], heard.device)
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._frame = 0
        step = prior.embed(torch.zeros(len(heard), dtype=torch.int64, device=heard.device))
        self._pass(torch.cat([step[:, None], heard], 1))

    def next(self, earlier: Float[Tensor, "batch columns"]) -> Float[Tensor, "batch outputs"]:
        """Mean and logarithm of the variance of the next frame, given the one before (zeros before the first)."""
        entered = self.prior.enter(torch.cat([earlier, torch.ones_like(earlier[:, :1])], -1))
        token = entered + self._places[self._frame] + self.prior.kinds[1]
        self._frame += 1
        outputs: Tensor = self.prior.leave(self.prior.layers.norm(self._pass(token[:, None])))[:, 0]
        return outputs

    def _pass(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """New tokens through all layers: each sees all that came before and the others that come with it."""
        for number, layer in enumerate(self.prior.layers.layers):
            q, k, v = _offered(layer, tokens)
            if number < len(self._kept):
                k, v = (torch.cat(both, 2) for both in zip(self._kept[number], (k, v), strict=True))
                self._kept[number] = (k, v)
            else:
                self._kept.append((k, v))
            tokens = _updated(layer, tokens, q, k, v)
        return tokens


Heads = Float[Tensor, "batch heads tokens size"]


def _offered(layer: Any, tokens: Float[Tensor, "batch tokens dim"]) -> tuple[Heads, Heads, Heads]:
    """Queries, keys and values that a layer makes of tokens."""
    attention, (batch, count, _) = layer.self_attn, tokens.shape
    made = functional.linear(layer.norm1(tokens), attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = made.view(batch, count, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    return q, k, v


def _updated(
    layer: Any,
    tokens: Float[Tensor, "batch asking dim"],
    q: Float[Tensor, "batch heads asking size"],
    k: Heads,
    v: Heads,
) -> Float[Tensor, "batch asking dim"]:
    """What a layer in evaluation mode makes of the tokens that ask ``q``; torch does all tokens or none."""
    attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    tokens = tokens + layer.self_attn.out_proj(attended)
    updated: Tensor = tokens + layer.linear2(layer.activation(layer.linear1(layer.norm2(tokens))))
    return updated


def _two_layers(inputs: int, outputs: int) -> nn.Module:
    """A linear map and a correction to it."""
    return _Residual(inputs, 4 * max(inputs, outputs), outputs)


class _Residual(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.straight = nn.Linear(inputs, outputs)
        self.bent = nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.straight(x) + self.bent(x)
        return result


def _causal_mask(frames: int, device: torch.device) -> Bool[Tensor, "tokens tokens"]:
    """True where a token may not look: step and speech not at motion, motion not at later motion."""
    barred = torch.zeros(1 + 2 * frames, 1 + 2 * frames, dtype=torch.bool, device=device)
    barred[:, 1 + frames :] = True
    later = torch.ones(frames, frames, dtype=torch.bool, device=device).triu(1)
    barred[1 + frames :, 1 + frames :] = later
    return barred
