"""Plain log-mel features as a speech encoder without weights: what SDM's paper hears."""

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.audio.encoders import PiecewiseEncoder
from declaim.audio.mel import HOP, N_MELS, log_mel
from declaim.audio.prosody import PROSODY_DIM, prosody
from declaim.audio.waveform import padded_to_frames
from declaim.timebase import samples_in

STEPS = samples_in(1) // HOP
"""Mel steps of 10 ms in a video frame."""


class MelFeatures(PiecewiseEncoder):
    """The four mel steps of every video frame side by side, and prosody."""

    name = "mel"
    dim = STEPS * N_MELS + PROSODY_DIM

    def _piece(self, samples: Float[Tensor, " samples"], n_frames: int) -> Float[Tensor, "frames dim"]:
        whole = padded_to_frames(samples, n_frames)
        steps = log_mel(whole).T.reshape(n_frames, STEPS * N_MELS)
        return torch.cat([steps, prosody(whole)], dim=1)
