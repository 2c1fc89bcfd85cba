"""The processes of a run: one on a CPU or GPU, or many under ``accelerate launch``."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from declaim.errors import ConfigError
from declaim.train.config import TrainConfig

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the main one validates and saves while the others wait."""
_ROWS, _PIECES = 0, 1  # streams of random numbers


def make_accelerator(config: TrainConfig) -> Any:
    """Accelerate's view of this process.

    Raises:
        ConfigError: accelerate is not installed, or this machine cannot do what ``config`` asks for.
    """
    try:
        from accelerate import Accelerator, InitProcessGroupKwargs
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise ConfigError("accelerate is not installed; run: pip install 'declaim[train]'") from error
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    # of processes without GPUs accelerate has to be told that they are CPUs', or nobody waits for anyone
    without_gpu = launched > 1 and not torch.cuda.is_available()
    AcceleratorState._reset_state()  # an earlier run in this process may have had another precision
    try:
        accelerator = Accelerator(
            mixed_precision=config.precision,
            cpu=config.device == "cpu" or without_gpu,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
    except ValueError as error:  # fp16 on a CPU, bf16 on an old GPU
        raise ConfigError(
            f"train.precision={config.precision} does not work on this machine ({error}); use no or bf16"
        ) from error
    if accelerator.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ConfigError("train.precision=fp16 needs a GPU, and this run has none; use no or bf16")
    if accelerator.num_processes != launched:
        raise ConfigError(
            f"{launched} processes were launched, but they do not find each other; launch them with accelerate launch "
            "--multi_gpu (GPUs) or torchrun (CPUs)"
        )
    parts = accelerator.num_processes * config.accumulate
    if config.batch_size % parts:
        raise ConfigError(
            f"train.batch_size={config.batch_size} cannot be dealt out to {accelerator.num_processes} processes with "
            f"train.accumulate={config.accumulate}; it must be a multiple of {parts}"
        )
    return accelerator


def own_rows(accelerator: Any, config: TrainConfig) -> list[range]:
    """The rows of every batch that this process computes, piece by piece.

    rows     0 1 2 3 4 5 6 7      batch_size 8, 2 processes, accumulate 2
    process  0 0 0 0 1 1 1 1
    piece    0 0 1 1 0 0 1 1
    """
    rows = config.batch_size // accelerator.num_processes // config.accumulate
    first = accelerator.process_index * config.accumulate
    return [range(i * rows, (i + 1) * rows) for i in range(first, first + config.accumulate)]


def row_seeds(seed: int, number: int, rows: range) -> Int64[Tensor, " rows"]:
    """Seeds of some rows of batch ``number``; they depend on nothing else."""
    return torch.tensor([_mixed(seed, _ROWS, number, row) for row in rows])


def seed_piece(seed: int, number: int, rows: range) -> None:
    """Seed torch's global generators, on all devices, for one piece of a step.

    Dropout comes from them. Because every piece is seeded anew, a checkpoint needs no generator's state, and a run
    goes on to the bit whatever was drawn between the steps.
    """
    torch.manual_seed(_mixed(seed, _PIECES, number, rows.start))


def _mixed(seed: int, *key: int) -> int:
    words = np.random.SeedSequence(entropy=seed, spawn_key=key).generate_state(2, np.uint32)
    return (int(words[0]) << 31) ^ int(words[1])


def mean_over_processes(accelerator: Any, values: Sequence[Tensor]) -> Float[Tensor, " values"]:
    """The means of some numbers over all processes, on the CPU; one exchange for all of them."""
    stacked = torch.stack([value.detach().float().to(accelerator.device) for value in values])
    averaged: Tensor = accelerator.reduce(stacked, reduction="mean") if accelerator.num_processes > 1 else stacked
    return averaged.cpu()
