"""Networks of SDM: the pose branch, the rhythm branch, the reverse process, and what chooses where it starts."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from declaim.methods.sdm.config import DenoiserConfig, PoseBranchConfig, RhythmBranchConfig
from declaim.methods.sdm.objective import latent_before
from declaim.nn.embeddings import StepEmbedding
from declaim.nn.transformer import ConvBlock, CrossBlock


class PoseBranch(nn.Module):
    """Content and pose modes to the main motion (section 3.1).

        speech ─► content ─┬──────────────────────────► lips
                           └─► G_c ─► M of every frame ─► f_dec ─► everything else
        last finished frame ─► f_enc ─► M ─┘  └─ z, one for every fragment: drawn, or found in real motion

    Deviation: the lips come from the content alone, so that no draw changes them; latents are of the other motion.

    Args:
        content_dim: speech columns without prosody.
        columns: of the motion.
        directions: lip coordinates.
        latent: size of a frame's latent.
        config: sizes.

    Paper: SDM (APWeb-WAIM 2022), eq. 2.
    """

    def __init__(self, content_dim: int, columns: int, directions: int, latent: int, config: PoseBranchConfig) -> None:
        super().__init__()
        dim, hidden, mode = config.dim, config.hidden, config.mode
        self.mode_frames = config.mode_frames
        self.content = config.speech_path(content_dim, config.layers)
        self.lips = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, directions))
        self.encode = nn.Sequential(nn.Linear(columns, hidden), nn.GELU(), nn.Linear(hidden, latent))
        self.decode = nn.Sequential(nn.Linear(latent, hidden), nn.GELU(), nn.Linear(hidden, columns))
        self.finder = nn.Sequential(nn.Linear(2 * latent, hidden), ConvBlock(hidden), nn.LayerNorm(hidden))
        self.found = nn.Linear(hidden, 2 * mode)
        self.begin = nn.Linear(latent, hidden)
        self.heard = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, latent))
        self.go_on = nn.GRU(latent + mode, hidden, batch_first=True)
        self.change = nn.Linear(hidden, latent)

    def modes(
        self, latents: Float[Tensor, "batch frames latent"]
    ) -> tuple[Float[Tensor, "batch modes mode"], Float[Tensor, "batch modes mode"]]:
        """Mean and logarithm of the variance of the pose modes in real motion, from its latents and their changes.

        The first frame is the last finished one; modes are of the frames after it.
        """
        changes = latents.diff(dim=1)
        seen = self.finder(torch.cat([latents[:, 1:] - latents[:, :1], changes], -1)).transpose(1, 2)
        pooled = functional.avg_pool1d(seen, self.mode_frames, ceil_mode=True, count_include_pad=False)
        mean, log_variance = self.found(pooled.transpose(1, 2)).chunk(2, -1)
        return mean, log_variance.clamp(-8.0, 4.0)

    def forward(
        self,
        content: Float[Tensor, "batch frames dim"],
        last: Float[Tensor, "batch latent"],
        modes: Float[Tensor, "batch modes mode"],
    ) -> Float[Tensor, "batch frames latent"]:
        """G_c: the latents of the frames after the last finished one.

        Args:
            content: what the content encoder made of these frames' speech.
            last: latent of the last finished frame.
            modes: of these frames' fragments.
        """
        drawn = modes.repeat_interleave(self.mode_frames, 1)[:, : content.shape[1]]
        going_on, _ = self.go_on(torch.cat([self.heard(content), drawn], -1), self.begin(last)[None].tanh())
        latents: Tensor = last[:, None] + self.change(going_on)
        return latents

    def previous(
        self, change: Float[Tensor, "*batch latent"], latent: Float[Tensor, "*batch latent"]
    ) -> Float[Tensor, "*batch columns"]:
        """The previous frame's motion, decoded from this frame's latent and the change that led to it (eq. 3)."""
        motion: Tensor = self.decode(latent_before(change, latent))
        return motion


class RhythmBranch(nn.Module):
    """Prosody to the dynamics, through convolutions (section 3.2).

    Args:
        prosody_dim: columns of prosody.
        columns: of the motion.
        latent: size of a frame's latent, the pose branch's: eq. 5 compares them.
        config: sizes.
    """

    def __init__(self, prosody_dim: int, columns: int, latent: int, config: RhythmBranchConfig) -> None:
        super().__init__()
        self.path = config.speech_path(prosody_dim, config.layers)
        self.out = nn.Sequential(nn.LayerNorm(config.dim), nn.Linear(config.dim, latent))
        self.decode = nn.Linear(latent, columns)

    def forward(self, prosody: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames latent"]:
        """The rhythmic motion's latents; ``decode`` makes motion of them."""
        latents: Tensor = self.out(self.path(prosody))
        return latents


class ShallowDenoiser(nn.Module):
    """f_denoi: estimates clean motion from noisy motion and from what the two branches gave.

    Args:
        columns: of the motion.
        steps: of the diffusion process.
        config: sizes.
    """

    def __init__(self, columns: int, steps: int, config: DenoiserConfig) -> None:
        super().__init__()
        dim = config.dim
        self.path = config.speech_path(2 * columns, 0)
        self.step = StepEmbedding(dim, steps)
        self.enter = nn.Linear(columns + 1, dim)
        self.blocks = nn.ModuleList(
            CrossBlock(dim, config.heads, None, reach=config.reach, dropout=config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.leave = nn.Linear(dim, columns)

    def embed(self, steps: Int[Tensor, " batch"]) -> Float[Tensor, "batch dim"]:
        """The diffusion step's embedding."""
        embedded: Tensor = self.step(steps)
        return embedded

    def listen(self, branches: Float[Tensor, "batch frames both"]) -> Float[Tensor, "batch frames dim"]:
        """The two branches' motion side by side, as hidden states: they do not depend on the step."""
        heard: Tensor = self.path(branches)
        return heard

    def forward(
        self,
        x_t: Float[Tensor, "batch frames columns"],
        step: Float[Tensor, "batch dim"],
        heard: Float[Tensor, "batch frames dim"],
        given: Bool[Tensor, "batch frames"],
        since: int = 0,
    ) -> Float[Tensor, "batch asked columns"]:
        """Estimate the clean motion.

        Args:
            x_t: noisy motion; clean where ``given``.
            step: what `embed` made of each sequence's diffusion step.
            heard: what `listen` made of the branches' motion.
            given: True in the prefix.
            since: first frame whose estimate is asked for.
        """
        condition = heard + step[:, None]
        x = self.enter(torch.cat([x_t, given[..., None].to(x_t.dtype)], -1)) + condition
        *before, last = self.blocks
        for block in before:
            x = block(x, condition)
        x = last(x, condition, since=since)
        estimate: Tensor = self.leave(self.norm(x))
        return estimate


class BoundaryPredictor(nn.Module):
    """Tells frames of noised real motion from the branches' noised motion, knowing the step (section 3.3; DiffSinger).

    Args:
        columns: of the motion.
        steps: of the diffusion process.
        dim: width.
    """

    def __init__(self, columns: int, steps: int, dim: int = 48) -> None:
        super().__init__()
        self.enter = nn.Linear(columns, dim)
        self.step = StepEmbedding(dim, steps)
        self.conv = ConvBlock(dim)
        self.leave = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))

    def forward(
        self, x_t: Float[Tensor, "batch frames columns"], step: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frames"]:
        """Logit of "real" of every frame."""
        logits: Tensor = self.leave(self.conv(self.enter(x_t) + self.step(step)[:, None]))
        return logits[..., 0]
