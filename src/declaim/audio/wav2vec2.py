"""wav2vec 2.0 (Baevski et al. 2020): the speech features of FD2Talk's paper (section 3.2).

The network is transformers' ``Wav2Vec2Model``, read from a folder that the user has put in place: no official address
offers it with a published checksum, so declaim cannot fetch it.
"""

import json
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from declaim.assets.cache import asset_folder
from declaim.audio.encoders import PiecewiseEncoder
from declaim.audio.waveform import padded_to_frames
from declaim.errors import AssetError, CheckpointError, ConfigError
from declaim.pretrained import load_tensors
from declaim.timebase import SAMPLE_RATE

WIDTH = 768
"""Columns of the base model's last layer."""
STEPS_PER_FRAME = 2
"""The network's 20 ms steps in a video frame."""
EDGE = 40
"""Zeros before and after a piece: with its receptive field of 400 samples, the network then gives 2 steps per frame,
each centred on its 20 ms."""
VARIANCE_FLOOR = 1e-7
"""What transformers' feature extractor adds to the variance."""
CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def read_network(folder: Path) -> Any:
    """Transformers' ``Wav2Vec2Model`` in evaluation mode; what a folder holds beside it (heads for training) is left.

    Written out because transformers' own reader draws bars and prints reports.

    Raises:
        CheckpointError: the files are of another model, or damaged.
    """
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    try:
        network = Wav2Vec2Model(Wav2Vec2Config.from_json_file(folder / CONFIG_FILE))
        found = {_own_name(name): values for name, values in _read_weights(folder).items()}
        network.load_state_dict({name: found[name] for name in network.state_dict()})
    except (KeyError, TypeError, ValueError, RuntimeError, OSError, UnpicklingError) as error:
        fault = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{folder} holds no whole wav2vec 2.0 model: {fault}") from error
    return network.eval().requires_grad_(False)


def _read_weights(folder: Path) -> dict[str, Tensor]:
    safe, pickled = (folder / name for name in WEIGHT_FILES)
    if safe.is_file():
        return load_tensors(safe)
    tensors: dict[str, Tensor] = torch.load(pickled, map_location="cpu", weights_only=True)  # runs no code of the file
    return tensors


def _own_name(name: str) -> str:
    """A weight's name in ``Wav2Vec2Model``: without the whole model's prefix, weight norm as torch names it now."""
    name = name.removeprefix("wav2vec2.")
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        name = name.replace(old, f"parametrizations.weight.{new}")
    return name


class Wav2Vec2Encoder(PiecewiseEncoder):
    """The last layer of wav2vec 2.0 base, the mean of the two steps in a video frame.

    Weights are read at the first call. A piece's samples are brought to zero mean and unit variance if the model's
    preprocessor configuration says so.

    Args:
        folder: with ``config.json``, ``preprocessor_config.json`` and the weights; the place for assets when left out.
    """

    name = "wav2vec2-base"
    dim = WIDTH

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = asset_folder(self.name) if folder is None else Path(folder)

    @cached_property
    def network(self) -> Any:
        """The network, loaded once, in evaluation mode.

        Raises:
            AssetError: the folder lacks a file.
            CheckpointError: the files are of another model, or damaged.
            ConfigError: transformers is not installed.
        """
        self.check()
        network = read_network(self.folder)
        if network.config.hidden_size != self.dim:
            raise CheckpointError(
                f"{self.folder} holds a wav2vec 2.0 model {network.config.hidden_size} wide, expected {self.dim}"
            )
        return network

    @cached_property
    def normalised(self) -> bool:
        """Whether the network was trained on samples of zero mean and unit variance.

        Raises:
            CheckpointError: the preprocessor's configuration cannot be read, or is for another sample rate.
        """
        path = self.folder / PREPROCESSOR_FILE
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            rate, wanted = int(settings.get("sampling_rate", SAMPLE_RATE)), bool(settings["do_normalize"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is no preprocessor configuration of a wav2vec 2.0 model") from error
        if rate != SAMPLE_RATE:
            raise CheckpointError(f"{path} is for speech at {rate} Hz, expected {SAMPLE_RATE} Hz")
        return wanted

    def check(self) -> None:
        """Files and package must be there.

        Raises:
            AssetError: the folder lacks a file.
            ConfigError: transformers is not installed.
        """
        absent = [name for name in (CONFIG_FILE, PREPROCESSOR_FILE) if not (self.folder / name).is_file()]
        if not any((self.folder / name).is_file() for name in WEIGHT_FILES):
            absent.append(" or ".join(WEIGHT_FILES))
        if absent:
            raise AssetError(
                f"wav2vec 2.0 is not on this machine: {self.folder} lacks {', '.join(absent)}; put the files of "
                f"facebook/wav2vec2-base there: hf download facebook/wav2vec2-base --local-dir {self.folder}"
            )
        try:
            import transformers  # noqa: F401
        except ImportError as error:
            raise ConfigError("transformers is not installed; run: pip install 'declaim[wav2vec2]'") from error

    @torch.inference_mode()
    def _piece(self, samples: Float[Tensor, " samples"], n_frames: int) -> Float[Tensor, "frames dim"]:
        network, ready = self.network, padded_to_frames(samples, n_frames)
        if self.normalised:
            ready = (ready - ready.mean()) / (ready.var(correction=0) + VARIANCE_FLOOR).sqrt()
        states = network(functional.pad(ready, (EDGE, EDGE))[None]).last_hidden_state[0]
        return states.view(n_frames, STEPS_PER_FRAME, self.dim).mean(1).clone()
