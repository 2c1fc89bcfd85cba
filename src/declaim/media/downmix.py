"""Decoded sound as floating point, mixed to mono or stereo.

Down-mix to mono, by channel: front left and right, 1/2; centre, 1/sqrt(2); side and back, 1/(2 sqrt(2)); LFE, 0.
These are the weights of ITU-R BS.775 scaled so that two-channel sound is averaged; a phantom centre and a real one
come out equally loud. Sums beyond full scale are clipped. Channels without a known layout are averaged.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32

Block = Float32[np.ndarray, "_ channels"]
"""Samples by channels. (The number of samples is left open: blocks that are cut or joined pass through here.)"""

_ROOT_HALF = 0.5**0.5
_MONO_WEIGHTS = {
    "FC": _ROOT_HALF, "FL": 0.5, "FR": 0.5, "FLC": 0.5, "FRC": 0.5, "DL": 0.5, "DR": 0.5, "WL": 0.5, "WR": 0.5,
    "SL": _ROOT_HALF / 2, "SR": _ROOT_HALF / 2, "BL": _ROOT_HALF / 2, "BR": _ROOT_HALF / 2, "BC": _ROOT_HALF / 2,
    "LFE": 0.0, "LFE2": 0.0,
}  # fmt: skip
_INTEGER_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}


def to_float(frame: Any) -> tuple[Block, int]:
    """One decoded frame as float32 in [-1, 1], one column per channel, and how many NaN or infinities became zero."""
    raw = frame.to_ndarray()
    values = raw.T if frame.format.is_planar else raw.reshape(-1, len(frame.layout.channels))
    kind = frame.format.name.removesuffix("p")
    if kind in _INTEGER_SCALE:
        offset = 128 if kind == "u8" else 0
        return (values.astype(np.float32) - offset) * np.float32(1 / _INTEGER_SCALE[kind]), 0
    values = values.astype(np.float32)
    finite = np.isfinite(values)
    if finite.all():
        return values, 0
    return np.where(finite, values, np.float32(0)), int(values.size - finite.sum())


def mixed(
    values: Float32[np.ndarray, "samples inputs"], names: list[str], channels: int
) -> Float32[np.ndarray, "samples outputs"]:
    """Mix columns with the channel names ``names`` (FFmpeg's: FL, FC, LFE, ...) to one or two."""
    return np.ascontiguousarray(values @ mix_matrix(names, channels))


def mix_matrix(names: list[str], channels: int) -> Float32[np.ndarray, "inputs outputs"]:
    """Weights from channels to one or two.

    For stereo the sides go wholly to their own ear and the middle goes to both, so that FL becomes L with weight 1.
    """
    n = len(names)
    if n == 1:
        return np.ones((1, channels), np.float32)
    if n == 2 and channels == 2:
        return np.eye(2, dtype=np.float32)
    weights = np.array([_MONO_WEIGHTS.get(name, np.nan) for name in names], np.float32)
    if np.isnan(weights).any() or not weights.any():
        return np.full((n, channels), 1 / n, np.float32)
    if channels == 1:
        return weights[:, None]
    left = np.array([not name.endswith("R") for name in names], np.float32)
    right = np.array([not name.endswith("L") for name in names], np.float32)
    own_ear = np.where(left * right, weights, 2 * weights)
    return (np.stack([left, right], axis=1) * own_ear[:, None]).astype(np.float32)
