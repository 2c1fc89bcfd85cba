"""Training state on disk: everything that a run needs to go on to the bit, in safetensors and JSON.

    RUN/checkpoints/step-0000250/
        config.json              step, seconds, the gradient scaler of fp16
        weights.safetensors      in training
        average.safetensors      their moving average
        optimizer.safetensors    moments by parameter number

There is no generator's state: every step seeds its own random numbers, see `declaim.train.processes.seed_piece`.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from declaim.errors import CheckpointError
from declaim.pretrained import atomic_folder, load_into, load_tensors, read_config, save_tensors, write_config

KIND = "training-state"
FOLDER = "checkpoints"
_WEIGHTS, _AVERAGE, _OPTIMIZER = (f"{name}.safetensors" for name in ("weights", "average", "optimizer"))


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        seconds: time taken so far, over all sittings.
        scaler: fp16's gradient scaler; empty without one.
    """

    step: int = 0
    seconds: float = 0.0
    scaler: dict[str, float] = field(default_factory=dict)


def save_state(
    run: Path,
    progress: Progress,
    module: nn.Module,
    *,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    keep: int,
) -> None:
    """Write the state, whole or not at all; then remove all but the ``keep`` latest ones.

    Raises:
        CapacityError: the disk is full; earlier checkpoints are as they were.
    """
    moments = {
        f"{number}.{name}": torch.as_tensor(value)
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    with atomic_folder(run / FOLDER / f"step-{progress.step:07d}") as partial:
        write_config(partial, {"kind": KIND, **vars(progress)})
        save_tensors(partial / _WEIGHTS, module.state_dict())
        save_tensors(partial / _AVERAGE, average.state_dict())
        save_tensors(partial / _OPTIMIZER, moments)
    for old in saved_states(run)[keep:]:
        shutil.rmtree(old)


def saved_states(run: Path) -> list[Path]:
    """The checkpoints of a run, the latest first."""
    return sorted((run / FOLDER).glob("step-*"), reverse=True)


def load_state(folder: Path, module: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Bring a run back to where `save_state` left it.

    Raises:
        CheckpointError: damaged, or of other networks; nothing was changed then.
    """
    saved = read_config(folder, KIND)
    weights, mean, moments = (load_tensors(folder / name) for name in (_WEIGHTS, _AVERAGE, _OPTIMIZER))
    try:
        progress = Progress(int(saved["step"]), float(saved["seconds"]), dict(saved["scaler"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} is damaged: {error!r}") from error
    load_into(module, weights, folder)
    load_into(average, mean, folder)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": _by_number(moments)})
    return progress


def _by_number(moments: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        number, _, name = key.partition(".")
        states.setdefault(int(number), {})[name] = value
    return states
