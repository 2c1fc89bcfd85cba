"""Light smoothing of tracked motion over time, and the filling of gaps. All of it without delay."""

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.signal import savgol_filter
from torch import Tensor

POSE_WINDOW = 7
"""Frames of the Savitzky-Golay filter for the pose: at 25 fps it keeps nods up to about 5 Hz."""
EXPRESSION_WINDOW = 5
"""Frames of the Savitzky-Golay filter for the expression."""
JITTER_SD = 0.15
"""Deviation from the filtered curve, in sd, at which an expression is taken half for motion and half for jitter.

The tracker's jitter on still faces is 0.01 to 0.1 sd (0.2 on faces of 60 pixels), p, b, m and blinks are 1 to 4 sd.
"""
SHORT_GAP = 10
"""Frames up to which a gap is bridged in a straight line; in longer gaps the face goes to rest."""
FADE = 5
"""Frames in which the face goes to rest at the start, and comes back at the end, of a long gap."""


def smooth_pose(pose: Float[Tensor, "frames columns"]) -> Float[Tensor, "frames columns"]:
    """Rotation and translation through a quadratic Savitzky-Golay filter."""
    return _savgol(pose, POSE_WINDOW)


def smooth_expression(
    expression: Float[Tensor, "frames expression"], jitter: float = JITTER_SD
) -> Float[Tensor, "frames expression"]:
    """Expressions without jitter but with their fast events: only small deviations from the filtered curve go.

    A deviation d keeps the share ``d^2 / (d^2 + jitter^2)``: closures of the lips and blinks pass.
    """
    curve = _savgol(expression, EXPRESSION_WINDOW)
    deviation = expression - curve
    energy = deviation.square()
    return curve + deviation * energy / (energy + jitter**2)


def bridge(
    values: Float[Tensor, "frames columns"], valid: Bool[Tensor, " frames"], *, to_rest: bool = False
) -> Float[Tensor, "frames columns"]:
    """Fill the rows that are not valid: in a straight line between neighbours, held at the ends.

    Args:
        values: rows that are not valid may hold anything, NaN too.
        valid: which rows were measured; at least one.
        to_rest: let values go to zero in gaps longer than `SHORT_GAP` frames, instead of drifting across them.
    """
    known = np.flatnonzero(valid.numpy())
    rows = values.numpy()[known]
    if to_rest:
        known, rows = _with_rests(known, rows, len(values))
    frames = np.arange(len(values))
    columns = [np.interp(frames, known, column) for column in rows.T]
    filled = torch.from_numpy(np.stack(columns, 1)).to(values.dtype)
    return torch.where(valid[:, None], values, filled)


def longest_gap(valid: Bool[Tensor, " frames"]) -> int:
    """Length in frames of the longest run that is not valid."""
    known = np.flatnonzero(valid.numpy())
    return int(np.diff(np.concatenate([[-1], known, [len(valid)]])).max() - 1)


def _with_rests(known: np.ndarray, rows: np.ndarray, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The known rows with rows of zeros put into long gaps, `FADE` frames inside either end."""
    edges = np.concatenate([[-1], known, [n_frames]])
    stops = [
        frame
        for a, b in pairwise(edges)
        if b - a - 1 > SHORT_GAP
        for frame in ({a + FADE} if a >= 0 else {0}) | ({b - FADE} if b < n_frames else {n_frames - 1})
    ]
    frames = np.concatenate([known, np.array(stops, dtype=known.dtype)])
    values = np.concatenate([rows, np.zeros((len(stops), rows.shape[1]), rows.dtype)])
    order = np.argsort(frames, kind="stable")
    return frames[order], values[order]


def _savgol(values: Float[Tensor, "frames columns"], window: int) -> Float[Tensor, "frames columns"]:
    if len(values) < window:
        return values
    filtered = savgol_filter(values.double().numpy(), window, 2, axis=0, mode="interp")
    return torch.from_numpy(filtered).to(values.dtype)
