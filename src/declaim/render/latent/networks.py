"""The frame stage's weights: the autoencoder alone, or with the UNet; saved as folders."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from declaim.errors import CheckpointError
from declaim.pretrained import (
    CARD_FILE,
    WEIGHTS_FILE,
    atomic_folder,
    half,
    load_into,
    load_tensors,
    read_config,
    save_tensors,
    write_config,
)
from declaim.render.latent.autoencoder import Autoencoder
from declaim.render.latent.config import AutoencoderConfig

AUTOENCODER_KIND = "latent autoencoder"
TRAIN_AUTOENCODER = "declaim train latent-autoencoder --corpus CORPUS -o RUN"
"""The command that makes an autoencoder's weights."""

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def save_autoencoder(autoencoder: Autoencoder, folder: Path, card: str) -> None:
    """Write weights, units of the latents and card, in half precision."""
    _save(folder, AUTOENCODER_KIND, autoencoder.config, half(autoencoder.state_dict()), card)


def load_autoencoder(folder: Path) -> Autoencoder:
    """Read what `save_autoencoder` wrote.

    Raises:
        CheckpointError: missing, damaged, or something else; says how to make one.
    """
    try:
        autoencoder = Autoencoder(_read(folder, AUTOENCODER_KIND, AutoencoderConfig))
        load_into(autoencoder, load_tensors(Path(folder) / WEIGHTS_FILE), Path(folder))
    except CheckpointError as error:
        raise CheckpointError(f"{error}; make an autoencoder with: {TRAIN_AUTOENCODER}") from error
    return autoencoder.eval()


def _save(folder: Path, kind: str, config: BaseModel, tensors: Any, card: str) -> None:
    with atomic_folder(Path(folder)) as partial:
        write_config(partial, {"kind": kind, "config": json.loads(config.model_dump_json())})
        save_tensors(partial / WEIGHTS_FILE, tensors)
        (partial / CARD_FILE).write_text(card, encoding="utf-8")


def _read(folder: Path, kind: str, config: type[ConfigT]) -> ConfigT:
    saved = read_config(Path(folder), kind)
    try:
        return config.model_validate(saved.get("config"))
    except ValidationError as error:
        raise CheckpointError(f"the settings of the {kind} in {folder} are damaged: {error.errors()[0]}") from error
