"""Training losses of DiffPoseTalk: motion, the points it moves, the head, the seam between windows, and style codes."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from declaim.diffusion.losses import acceleration_loss, masked_mean, velocity_loss, x0_loss
from declaim.face.layouts import N_EXPRESSION
from declaim.methods.diffposetalk.config import LossConfig
from declaim.motion.lip_losses import lip_losses
from declaim.motion.normalizer import Normalizer

SEAM = 3
"""Frames to either side of a seam that its loss looks at."""


def vertex_losses(
    db: Float[Tensor, "batch frames expression"],
    estimate: Float[Tensor, "batch frames expression"],
    mask: Bool[Tensor, "batch frames"],
    vertices: Float[Tensor, "expression rows"],
) -> dict[str, Float[Tensor, ""]]:
    """Errors of the face's points, of their changes, and the estimate's own roughness; mean squares in m^2.

    Args:
        db: expression, in its own units.
        estimate: of it.
        mask: frames that count.
        vertices: ``|db @ vertices|^2`` is the mean square of the points' coordinates, m^2.

    Paper: DiffPoseTalk (Sun et al. 2024), vertex, velocity and smoothness losses.
    """
    true, made = db @ vertices, estimate @ vertices
    rows = vertices.shape[1]
    return {
        "vertex": rows * x0_loss(true, made, mask),
        "vertex_velocity": rows * velocity_loss(true, made, mask),
        "vertex_smoothness": rows * acceleration_loss(torch.zeros_like(made), made, mask),
    }


def head_losses(
    pose: Float[Tensor, "batch frames pose"],
    estimate: Float[Tensor, "batch frames pose"],
    mask: Bool[Tensor, "batch frames"],
) -> dict[str, Float[Tensor, ""]]:
    """Errors of the head's pose, of its changes, and the estimate's own roughness.

    Deviation: of all six columns; the published motion has no translation.

    Paper: DiffPoseTalk (Sun et al. 2024), head angle, velocity and smoothness losses.
    """
    return {
        "head_angle": x0_loss(pose, estimate, mask),
        "head_velocity": velocity_loss(pose, estimate, mask),
        "head_smoothness": acceleration_loss(torch.zeros_like(estimate), estimate, mask),
    }


def transition_loss(
    pose: Float[Tensor, "batch frames pose"],
    estimate: Float[Tensor, "batch frames pose"],
    mask: Bool[Tensor, "batch frames"],
    prefix: int,
) -> Float[Tensor, ""]:
    """How much the head's velocity and acceleration change where the estimate goes on from the true previous frames.

        true       … -3 -2 -1 │                  velocity changes at -1 and 0, acceleration changes between -2 and 1
        estimated             │  0  1  2 …

    Args:
        pose: previous frames, then the window's.
        estimate: of both.
        mask: frames that count.
        prefix: number of previous frames.

    Paper: DiffPoseTalk (Sun et al. 2024), window transition loss.
    """
    here = slice(prefix - SEAM, prefix + SEAM)
    joined = torch.cat([pose[:, :prefix], estimate[:, prefix:]], 1)[:, here]
    counts = mask[:, here].all(1, keepdim=True)
    velocity = joined.diff(n=2, dim=1)[:, 1:3].square()
    acceleration = joined.diff(n=3, dim=1).square()
    return masked_mean(velocity, counts.expand(-1, 2)) + masked_mean(acceleration, counts.expand(-1, 3))


def nt_xent(
    codes: Float[Tensor, "codes style"], people: Int64[Tensor, " codes"], temperature: float
) -> Float[Tensor, ""]:
    """How hard it is to find, among all other codes, those of the same person; 0 if nobody has two.

    With two codes of everybody it is NT-Xent. With more, every pair is asked for apart from the person's other codes.

    Args:
        codes: of pieces of motion.
        people: whose each is.
        temperature: of the cosines.

    Paper: SimCLR (Chen et al. 2020), eq. 1, as DiffPoseTalk uses it for styles.
    """
    unit = functional.normalize(codes, dim=1)
    cosines = unit @ unit.T / temperature
    same = people[:, None] == people[None, :]
    pairs = same & ~torch.eye(len(codes), dtype=torch.bool, device=codes.device)
    others = cosines.masked_fill(same, -torch.inf).logsumexp(1, keepdim=True)
    unlikely = torch.logaddexp(cosines, others) - cosines
    return torch.where(pairs, unlikely, 0.0).sum() / pairs.sum().clamp(min=1)


def motion_losses(
    target: Float[Tensor, "batch frames dim"],
    estimate: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"],
    pose_mask: Bool[Tensor, "batch frames"],
    *,
    first: Bool[Tensor, " batch"],
    prefix: int,
    units: Normalizer,
    vertices: Float[Tensor, "expression rows"] | None,
    closure: float,
) -> dict[str, Float[Tensor, ""]]:
    """All losses on motion, by their names in `LossConfig`.

    Args:
        target: normalised motion, previous frames in front.
        estimate: what the network made of it.
        mask: frames that count.
        pose_mask: frames whose pose counts.
        first: windows that go on from nothing: they have no seam.
        prefix: number of previous frames.
        units: lip directions and units.
        vertices: see `vertex_losses`; without it they are left out.
        closure: extra weight of the opening's error where the lips are closed.
    """
    beta, beta_hat = target[..., :N_EXPRESSION], estimate[..., :N_EXPRESSION]
    pose, pose_hat = target[..., N_EXPRESSION:], estimate[..., N_EXPRESSION:]
    lips = lip_losses(beta, beta_hat, mask, units, closure)
    losses = {
        "x0": x0_loss(target, estimate, mask & pose_mask),
        **head_losses(pose, pose_hat, pose_mask),
        "transition": transition_loss(pose, pose_hat, pose_mask & ~first[:, None], prefix),
        "lips": lips["lips"],
        "opening": lips["opening"],
        "lip_velocity": lips["velocity"],
    }
    if vertices is not None:
        std = units.motion_std[:N_EXPRESSION]
        losses |= vertex_losses(beta * std, beta_hat * std, mask, vertices.to(std.device))
    return losses


def total(losses: dict[str, Float[Tensor, ""]], weights: LossConfig) -> Float[Tensor, ""]:
    """The weighted sum of the losses on motion."""
    weighted = [getattr(weights, name) * value for name, value in losses.items()]
    return torch.stack(weighted).sum()
