"""Motion metrics: amplitude, stillness in silence, beats, diversity and seams."""

from fractions import Fraction

import torch
from jaxtyping import Bool, Float
from scipy.signal import find_peaks
from scipy.spatial.transform import Rotation
from torch import Tensor

from declaim.errors import ConfigError
from declaim.timebase import FPS

SILENCE_MIN_S = 0.4
"""Shorter pauses are not judged: within speech the mouth is already on its way to the next sound."""

SILENCE_MARGIN_S = 0.16
"""Taken off both ends of a silence: lips finish the last sound and prepare the next one (coarticulation)."""

STILL_CM = 1e-4
"""A mouth whose opening varies less than this does not move: what remains is rounding."""

BEAT_SIGMA_S = 0.1
"""Width of the beat match."""


def spread(values: Float[Tensor, "frames columns"]) -> Float[Tensor, ""]:
    """Standard deviation over time of a vector: root of the variance summed over the columns."""
    return values.double().var(dim=0, unbiased=False).sum().sqrt().to(values.dtype)


def amplitude_ratio(
    generated: Float[Tensor, "frames columns"], truth: Float[Tensor, "frames2 columns"]
) -> Float[Tensor, ""]:
    """Generated over true :func:`spread` of one motion part; 1 is right, below 1 is too still. Lengths may differ."""
    return spread(generated) / spread(truth)


def head_deviation(rotation: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3"]:
    """Head rotation relative to the clip's own mean rotation, axis-angle, rad.

    Makes a tracked clip (absolute pose) and a generated one (pose around rest) comparable.
    """
    turns = Rotation.from_rotvec(rotation.double().numpy())
    return torch.from_numpy((turns.mean().inv() * turns).as_rotvec()).to(rotation.dtype)


def silent_frames(
    speaking: Bool[Tensor, " frames"],
    fps: Fraction = FPS,
    min_s: float = SILENCE_MIN_S,
    margin_s: float = SILENCE_MARGIN_S,
) -> Bool[Tensor, " frames"]:
    """Frames inside pauses of at least ``min_s``, without ``margin_s`` at the ends that touch speech."""
    quiet = ~speaking
    edges = torch.diff(torch.nn.functional.pad(quiet.int(), (1, 1)))
    starts, stops = (edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist()
    margin = round(margin_s * float(fps))
    inside = torch.zeros_like(quiet)
    for start, stop in zip(starts, stops, strict=True):
        if stop - start >= min_s * float(fps):
            inside[start + margin * (start > 0) : stop - margin * (stop < len(quiet))] = True
    return inside


def silence_movement(
    opening: Float[Tensor, " frames"], speaking: Bool[Tensor, " frames"], fps: Fraction = FPS
) -> float | None:
    """How much the mouth moves in silences, relative to speech.

    The standard deviation of the opening around each pause's own mean, pooled over all pauses of at least
    :data:`SILENCE_MIN_S`, divided by the standard deviation during speech. A mouth that rests open but still scores 0.

    Returns:
        The ratio, or None where the clip has no such pause, less than 0.4 s of speech, or a mouth that never moves.
    """
    inside = silent_frames(speaking, fps)
    if not bool(inside.any()) or int(speaking.sum()) < SILENCE_MIN_S * float(fps):
        return None
    edges = torch.diff(torch.nn.functional.pad(inside.int(), (1, 1)))
    bounds = zip((edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist(), strict=True)
    residual = torch.cat([opening[a:b] - opening[a:b].mean() for a, b in bounds])
    spoken = float(opening[speaking].std(unbiased=False))
    return float(residual.square().mean().sqrt()) / spoken if spoken > STILL_CM else None


def motion_beats_s(values: Float[Tensor, "frames columns"], fps: Fraction = FPS) -> Float[Tensor, " beats"]:
    """Times in seconds at which the motion pauses: local minima of its speed."""
    speed = torch.linalg.vector_norm(values.double().diff(dim=0), dim=-1).numpy()
    minima, _ = find_peaks(-speed)
    return torch.from_numpy((minima + 1) / float(fps)).to(values.dtype)


def beat_align(
    audio_s: Float[Tensor, " audio"], motion_s: Float[Tensor, " motion"], sigma_s: float = BEAT_SIGMA_S
) -> float | None:
    """Mean over audio beats of ``exp(-d^2 / (2 sigma^2))``, d the distance to the nearest motion beat.

    People do not maximise it: report it beside the truth's own score. None without audio beats, 0 without motion beats.
    """
    if len(audio_s) == 0:
        return None
    if len(motion_s) == 0:
        return 0.0
    distance = (audio_s[:, None] - motion_s[None]).abs().amin(1)
    return float(torch.exp(-distance.square() / (2 * sigma_s**2)).mean())


def diversity_over_takes(takes: Float[Tensor, "takes frames columns"]) -> Float[Tensor, ""]:
    """How much takes of one clip differ: standard deviation over takes, root of the columns' sum, mean over time.

    Raises:
        ConfigError: fewer than two takes.
    """
    if len(takes) < 2:
        raise ConfigError(f"diversity over takes needs two takes or more, got {len(takes)}")
    return takes.var(dim=0, unbiased=False).sum(-1).sqrt().mean()


def diversity_over_time(takes: Float[Tensor, "takes frames columns"]) -> Float[Tensor, ""]:
    """How much each take moves: :func:`spread` over time, mean over takes."""
    return torch.stack([spread(take) for take in takes]).mean()


def seam_jump(values: Float[Tensor, "frames columns"], borders: list[int]) -> float | None:
    """Mean step onto the frames ``borders`` (first frames of new windows) over the mean step elsewhere; 1 is seamless.

    None without borders; infinite where nothing but the borders moves.

    Raises:
        ConfigError: a border is not inside the clip.
    """
    if not borders:
        return None
    if min(borders) < 1 or max(borders) >= len(values):
        raise ConfigError(
            f"window borders must lie between 1 and {len(values) - 1}, got {min(borders)}..{max(borders)}"
        )
    step = torch.linalg.vector_norm(values.double().diff(dim=0), dim=-1)
    at = torch.zeros(len(step), dtype=torch.bool)
    at[torch.tensor(borders) - 1] = True
    return float(step[at].mean() / step[~at].mean())
