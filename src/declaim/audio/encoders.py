"""Speech encoders: speech in, one feature row per 25 fps video frame out, for speech of any length."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from declaim import assets
from declaim.audio.arriving import ReadThrough
from declaim.audio.mel import log_mel
from declaim.audio.pieces import PIECE, EncodePiece, Sound, crossfaded
from declaim.audio.prosody import PROSODY_DIM, prosody
from declaim.audio.threads import Threads
from declaim.audio.waveform import padded_to_frames
from declaim.audio.whisper import WhisperEncoder, load_encoder
from declaim.types import Spoken


class PiecewiseEncoder:
    """An encoder of speech of any length, in pieces of at most 30 s that are encoded on their own."""

    name: str
    dim: int

    def stream(self, speech: Spoken) -> Iterator[Float[Tensor, "block dim"]]:
        """Features in consecutive blocks of at most 30 s: constant memory for any length.

        Raises:
            NoAudio: the speech is empty, or not finite where a block is made of it.
        """
        return crossfaded(speech.n_frames, self.piece_encoder(ReadThrough(speech).between))

    def piece_encoder(self, sound: Sound) -> EncodePiece:
        """What encodes the frames from one to another on their own, for `declaim.audio.pieces`.

        Args:
            sound: gives the 16 kHz samples of the frames from one to another.
        """
        return lambda start, stop: self._piece(sound(start, stop), stop - start)

    def encode(self, speech: Spoken) -> Float[Tensor, "frames dim"]:
        """Features of ``speech``, one row per 25 fps frame."""
        return torch.cat(list(self.stream(speech)))

    def _piece(self, samples: Float[Tensor, " samples"], n_frames: int) -> Float[Tensor, "frames dim"]:
        """Features of one piece of 16 kHz speech."""
        raise NotImplementedError


class WhisperFeatures(PiecewiseEncoder):
    """The encoder of one of OpenAI's Whisper models: its two 20 ms steps per video frame side by side, and prosody.

    Weights are read at the first call. A piece of speech is always padded to 30 s, as the network was trained.

    Args:
        folder: where ``model.bin`` lies; the asset called ``name`` when left out.
        layer: which layer's output to give (the last one's is normalised); the class's own when left out.
    """

    default_layer: int

    def __init__(self, folder: Path | None = None, layer: int | None = None) -> None:
        self.folder = folder
        self.layer = self.default_layer if layer is None else layer

    @cached_property
    def network(self) -> WhisperEncoder:
        """The encoder network, loaded once.

        Raises:
            AssetError: the asset has not been fetched.
        """
        path = assets.locate(self.name) if self.folder is None else self.folder
        return load_encoder(path / "model.bin" if path.is_dir() else path)

    def piece_encoder(self, sound: Sound) -> EncodePiece:
        """See `PiecewiseEncoder.piece_encoder`. A speech's first piece is waited for, so that two threads make it."""
        return lambda start, stop: self._piece(sound(start, stop), stop - start, awaited=start == 0)

    @torch.inference_mode()
    def _piece(
        self, samples: Float[Tensor, " samples"], n_frames: int, *, awaited: bool = False
    ) -> Float[Tensor, "frames dim"]:
        with Threads(second=awaited and torch.get_num_threads() == 1) as threads:
            loudness = threads.beside(prosody, padded_to_frames(samples, n_frames))
            mel = log_mel(padded_to_frames(samples, PIECE))
            states = self.network(mel[None], self.layer + 1, wanted=2 * n_frames, threads=threads)[-1][0]
            return torch.cat([states.reshape(n_frames, -1), loudness()], dim=1).clone()


class WhisperTinyEncoder(WhisperFeatures):
    """Whisper tiny.en, English: the second of four layers predicts the mouths of unseen speakers best."""

    name = "whisper-tiny.en"
    dim = 2 * 384 + PROSODY_DIM
    default_layer = 1


class WhisperBaseEncoder(WhisperFeatures):
    """Whisper base, 99 languages: the fourth of six layers predicts the mouths of unseen speakers best.

    A ridge regression on it follows unseen training speakers' mouths with a correlation of .845 (GRID) and .738
    (others), on tiny.en's best layers with .829 and .721.
    """

    name = "whisper-base"
    dim = 2 * 512 + PROSODY_DIM
    default_layer = 3
