"""Training losses of the motion stage (section 3.4.1 of the paper)."""

from jaxtyping import Bool, Float
from torch import Tensor

from declaim.diffusion.losses import acceleration_loss, masked_mean, velocity_loss, x0_loss
from declaim.face.layouts import N_EXPRESSION
from declaim.methods.fd2talk.config import FD2TalkConfig
from declaim.motion.lip_losses import lip_losses
from declaim.motion.normalizer import Normalizer
from declaim.sync.expert import SyncExpert
from declaim.sync.offsets import whole_windows

EPSILON = 1e-8
"""Least product of two embeddings' lengths: two embeddings of nothing agree by 0."""
LEAST_AGREEMENT = 0.05
"""Agreements below this count as this, in the sync loss."""


def expression_loss(
    beta: Float[Tensor, "batch frames expression"],
    estimate: Float[Tensor, "batch frames expression"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Squared error of the estimated expressions.

    Paper: FD2Talk (MM 2024), eq. 8.
    """
    return x0_loss(beta, estimate, mask)


def pose_loss(
    pose: Float[Tensor, "batch frames pose"],
    estimate: Float[Tensor, "batch frames pose"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Squared error of the estimated head poses.

    Paper: FD2Talk (MM 2024), eq. 9.
    """
    return x0_loss(pose, estimate, mask)


def agreement(v: Float[Tensor, "*windows size"], a: Float[Tensor, "*windows size"]) -> Float[Tensor, " *windows"]:
    """P_sync, the cosine of mouth and speech embeddings, -1 .. 1.

    Args:
        v: of the mouth's motion.
        a: of the speech.

    Paper: FD2Talk (MM 2024), eq. 10.
    """
    return (v * a).sum(-1) / (v.norm(dim=-1) * a.norm(dim=-1)).clamp(min=EPSILON)


def sync_loss(p_sync: Float[Tensor, "batch windows"], counts: Bool[Tensor, "batch windows"]) -> Float[Tensor, ""]:
    """-log P_sync, averaged over the windows that count.

    Deviation: a cosine may be 0 or less, where the logarithm has no value; it counts as `LEAST_AGREEMENT` there, and
    such a window teaches nothing.

    Paper: FD2Talk (MM 2024), eq. 11.
    """
    return masked_mean(-p_sync.clamp(min=LEAST_AGREEMENT).log()[..., None], counts)


def first_stage_losses(
    target: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"],
    pose_mask: Bool[Tensor, "batch frames"],
    *,
    config: FD2TalkConfig,
    normalizer: Normalizer,
    expert: SyncExpert | None = None,
    speech: Float[Tensor, "batch frames features"] | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """All losses by name, and their weighted sum ``"total"``.

    Deviation: beside eqs. 8, 9 and 11 there are losses on the lip points, on the mouth's opening (closed lips count
    more), on velocities and on the head's accelerations.

    Args:
        target: normalised motion.
        estimate: what the networks made of it.
        mask: frames that count for the expression.
        pose_mask: frames that count for the pose.
        config: weights.
        normalizer: lip directions and units.
        expert: the lip expert; without it (or without ``speech``) there is no sync loss.
        speech: features as the encoder gave them: what the expert hears.

    Paper: FD2Talk (MM 2024), eq. 12.
    """
    beta, beta_hat = target[..., :N_EXPRESSION], estimate[..., :N_EXPRESSION]
    pose, pose_hat = target[..., N_EXPRESSION:], estimate[..., N_EXPRESSION:]
    std, mean = normalizer.motion_std[:N_EXPRESSION], normalizer.motion_mean[:N_EXPRESSION]
    losses = {
        "expression": expression_loss(beta, beta_hat, mask),
        "pose": pose_loss(pose, pose_hat, pose_mask),
        **lip_losses(beta, beta_hat, mask, normalizer, config.closure_weight),
        "pose_velocity": velocity_loss(pose, pose_hat, pose_mask) + acceleration_loss(pose, pose_hat, pose_mask),
    }
    if expert is not None and speech is not None:
        p_sync = agreement(expert.embed_motion(beta_hat * std + mean), expert.embed_speech(speech))
        losses["sync"] = sync_loss(p_sync, whole_windows(mask, expert.window))
    losses["total"] = (
        losses["expression"]
        + config.lip_weight * losses["lips"]
        + config.opening_weight * losses["opening"]
        + config.velocity_weight * (losses["velocity"] + config.pose_weight * losses["pose_velocity"])
        + config.pose_weight * losses["pose"]
        + config.sync_weight * losses.get("sync", 0.0)
    )
    return losses
