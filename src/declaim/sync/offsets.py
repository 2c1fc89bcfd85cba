"""From two rows of embeddings to the distance curve, and from the curve to LSE-D, LSE-C and the offset.

    curve[o] = mean over t of | speech[t] - picture[t + o] |,   o = -15 .. 15 frames

Positive offsets: the picture comes late, what is heard at frame t is seen at frame ``t + o``.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.errors import ConfigError

REACH = 15
"""Largest offset looked at, in frames to either side: .6 s."""


def distance_curve(
    speech: Float[Tensor, "windows dim"],
    picture: Float[Tensor, "windows dim"],
    reach: int = REACH,
    counts: Bool[Tensor, " windows"] | None = None,
    speech_counts: Bool[Tensor, " windows"] | None = None,
) -> Float[Tensor, " offsets"]:
    """Mean distance between embeddings of speech and of what is seen, for offsets ``-reach .. reach``.

    Every offset is averaged over the pairs that exist: nothing is padded.

    Args:
        speech: an embedding for every window of speech.
        picture: for every window of lip motion or pictures, of the same frames.
        reach: largest offset.
        counts: windows of ``picture`` that count; all by default.
        speech_counts: windows of ``speech`` that count.

    Raises:
        ConfigError: some offset has no pair.
    """
    n = len(speech)
    seen = torch.ones(n, dtype=torch.bool, device=speech.device) if counts is None else counts
    heard = torch.ones_like(seen) if speech_counts is None else speech_counts
    found = []
    for offset in range(-reach, reach + 1):
        a, b = slice(max(-offset, 0), n - max(offset, 0)), slice(max(offset, 0), n + min(offset, 0))
        pairs = heard[a] & seen[b] if n > abs(offset) else seen[:0]
        if not bool(pairs.any()):
            raise ConfigError(
                f"offsets up to {reach} frames need more than {reach} windows with a face, got {int(seen.sum())}; "
                "use a longer clip"
            )
        found.append((speech[a][pairs] - picture[b][pairs]).norm(dim=-1).mean())
    return torch.stack(found)


def lse_d(curve: Float[Tensor, " offsets"]) -> float:
    """Lip sync error, distance: the curve's minimum. Smaller is better."""
    return float(curve.min())


def lse_c(curve: Float[Tensor, " offsets"]) -> float:
    """Lip sync error, confidence: the curve's median minus its minimum. Larger is better."""
    return float(curve.median() - curve.min())


def offset(curve: Float[Tensor, " offsets"]) -> int:
    """Frames by which the picture comes late (negative: early): where the curve is least."""
    return int(curve.argmin()) - len(curve) // 2


def whole_windows(valid: Bool[Tensor, "*batch frames"], window: int) -> Bool[Tensor, "*batch windows"]:
    """Windows of which every frame is valid."""
    return valid.unfold(-1, window, 1).all(-1)


def active_windows(active: Bool[Tensor, "*batch frames"], window: int) -> Bool[Tensor, "*batch windows"]:
    """Windows in at least half of whose frames somebody speaks: silence tells nothing about sync."""
    return active.float().unfold(-1, window, 1).mean(-1) >= 0.5
