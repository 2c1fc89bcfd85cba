"""Training state on disk: everything that a run needs to go on to the bit, in safetensors and JSON."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from declaim.errors import CheckpointError
from declaim.pretrained import atomic_folder, load_into, load_tensors, read_config, save_tensors, write_config
from declaim.train.ema import MovingAverage

KIND = "training-state"


def save_state(
    folder: Path, step: int, module: nn.Module, *, average: MovingAverage, optimizer: torch.optim.Optimizer, run: Any
) -> None:
    """Write the state after ``step`` steps; the folder is replaced as a whole.

    Args:
        folder: where.
        step: steps done.
        module: weights in training.
        average: their moving average.
        optimizer: its state tensors are kept by parameter number.
        run: the run's settings, as JSON values; a run with others is not resumed.
    """
    moments = {
        f"{number}.{name}": torch.as_tensor(value)
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    with atomic_folder(folder) as partial:
        write_config(partial, {"kind": KIND, "step": step, "run": run})
        save_tensors(partial / "weights.safetensors", module.state_dict())
        save_tensors(partial / "average.safetensors", average.module.state_dict())
        save_tensors(partial / "optimizer.safetensors", moments)
        save_tensors(partial / "random.safetensors", {"torch": torch.get_rng_state()})


def load_state(
    folder: Path, module: nn.Module, *, average: MovingAverage, optimizer: torch.optim.Optimizer, run: Any
) -> int:
    """Bring a run back to where `save_state` left it, torch's random numbers included; the steps done.

    Raises:
        CheckpointError: damaged, or of a run with other settings.
    """
    saved = read_config(folder, KIND)
    if saved["run"] != run:
        raise CheckpointError(f"{folder} belongs to a run with other settings: choose another folder or remove it")
    load_into(module, load_tensors(folder / "weights.safetensors"), folder)
    load_into(average.module, load_tensors(folder / "average.safetensors"), folder)
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in load_tensors(folder / "optimizer.safetensors").items():
        number, _, name = key.partition(".")
        states.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    torch.set_rng_state(load_tensors(folder / "random.safetensors")["torch"])
    return int(saved["step"])
