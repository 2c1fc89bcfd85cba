"""Speech encoders: speech in, one feature row per 25 fps video frame out, for speech of any length."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from declaim import assets
from declaim.audio.mel import log_mel
from declaim.audio.pieces import PIECE, crossfaded
from declaim.audio.prosody import PROSODY_DIM, prosody
from declaim.audio.waveform import padded_to_frames, prepared
from declaim.audio.whisper import WhisperEncoder, load_encoder
from declaim.timebase import samples_in
from declaim.types import Speech


class WhisperTinyEncoder:
    """OpenAI's Whisper tiny.en encoder, its two 20 ms steps per video frame side by side, and four prosody channels.

    Weights are read at the first call. A piece of speech is always padded to 30 s, as the network was trained.

    Args:
        folder: where ``model.bin`` lies; the asset ``whisper-tiny.en`` when left out.
        layer: which of the four layers' outputs to give (0 to 3; 3 is the normalised output). The second predicts the
            mouths of speakers held out of training as well as the later ones or better, at half the cost.
    """

    name = "whisper-tiny.en"
    dim = 2 * 384 + PROSODY_DIM

    def __init__(self, folder: Path | None = None, layer: int = 1) -> None:
        self.folder = folder
        self.layer = layer

    @cached_property
    def network(self) -> WhisperEncoder:
        """The encoder network, loaded once.

        Raises:
            AssetError: the asset has not been fetched.
        """
        path = assets.locate("whisper-tiny.en") if self.folder is None else self.folder
        return load_encoder(path / "model.bin" if path.is_dir() else path)

    def stream(self, speech: Speech) -> Iterator[Float[Tensor, "block dim"]]:
        """Features in consecutive blocks of at most 30 s: constant memory for any length.

        Raises:
            NoAudio: the speech is empty or not finite.
        """
        ready = prepared(speech)

        def encode_piece(start: int, stop: int) -> Float[Tensor, "piece dim"]:
            return self._piece(ready.samples[samples_in(start) : samples_in(stop)], stop - start)

        return crossfaded(speech.n_frames, encode_piece)

    def encode(self, speech: Speech) -> Float[Tensor, "frames dim"]:
        """Features of ``speech``, one row per 25 fps frame."""
        return torch.cat(list(self.stream(speech)))

    @torch.inference_mode()
    def _piece(self, samples: Float[Tensor, " samples"], n_frames: int) -> Float[Tensor, "frames dim"]:
        mel = log_mel(padded_to_frames(samples, PIECE))
        states = self.network(mel[None], self.layer + 1)[-1][0, : 2 * n_frames]
        return torch.cat([states.reshape(n_frames, -1), prosody(padded_to_frames(samples, n_frames))], dim=1).clone()
