"""The training loop: one process, resumable to the bit."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from declaim.train.checkpoint import load_state, save_state
from declaim.train.config import TrainConfig
from declaim.train.ema import MovingAverage

STATE_FOLDER = "state"
OnTrainStep = Callable[[int, int, Mapping[str, float]], None]
"""Progress hook: (steps done, steps in all, losses of the last step)."""


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate of ``step`` (0-based): linear warm-up, half cosine to zero."""
    warm = min((step + 1) / max(config.warmup, 1), 1.0)
    return config.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * step / config.steps))


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; weight decay on matrices, none on biases, norms and relative places."""
    matrices = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def train(
    module: nn.Module,
    losses: Callable[[nn.Module, int], Mapping[str, Tensor]],
    config: TrainConfig,
    folder: Path,
    *,
    run: Mapping[str, Any] | None = None,
    on_step: OnTrainStep | None = None,
    stop_after: int | None = None,
) -> nn.Module:
    """Train ``module`` and return the moving average of its weights; a run found in ``folder`` goes on.

    Args:
        module: what to train, in place.
        losses: gives the losses of a module at a step; ``"total"`` is minimised. It may use torch's global
            generator, and nothing else that is random.
        config: settings.
        folder: where checkpoints go.
        run: what else a run is known by; with another ``run`` in the folder's checkpoint, training is refused.
        on_step: progress.
        stop_after: leave (with a checkpoint) after this many steps in all.

    Raises:
        CheckpointError: the folder holds another run.
    """
    torch.manual_seed(config.seed)
    state = Path(folder) / STATE_FOLDER
    identity = {"train": config.model_dump(), **(run or {})}
    average, optimizer = MovingAverage(module, config.ema), make_optimizer(module, config)
    done = load_state(state, module, average=average, optimizer=optimizer, run=identity) if state.is_dir() else 0
    module.train()
    last = config.steps if stop_after is None else min(stop_after, config.steps)
    while done < last:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(done, config)
        named = losses(module, done)
        optimizer.zero_grad()
        named["total"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), config.clip_norm)
        optimizer.step()
        average.update(module, done)
        done += 1
        if done % config.save_every == 0 or done == last:
            save_state(state, done, module, average=average, optimizer=optimizer, run=identity)
        if on_step:
            on_step(done, config.steps, {name: float(value.detach()) for name, value in named.items()})
    return average.module
