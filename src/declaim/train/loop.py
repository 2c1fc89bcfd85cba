"""The training loop: any number of processes, resumable to the bit."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from declaim.errors import CheckpointError, DeclaimWarning, Diverged
from declaim.train.best import Best
from declaim.train.checkpoint import Progress, load_state, save_state, saved_states
from declaim.train.config import TrainConfig
from declaim.train.curves import LOSS, VALIDATION, Curves
from declaim.train.ema import MovingAverage
from declaim.train.optimizer import learning_rate, make_optimizer
from declaim.train.processes import make_accelerator, mean_over_processes, own_rows, row_seeds, seed_piece
from declaim.train.signals import Interruption
from declaim.train.task import Task

OnTrainStep = Callable[[int, int, Mapping[str, float]], None]
"""Progress hook of the main process: (steps done, steps in all, losses of the last step)."""


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run gave.

    Attributes:
        module: the weights to keep, averaged, on the CPU.
        step: the step that they are of.
        figures: of their validation.
        seconds: time taken, over all sittings.
        ended: ``finished`` after the last step, ``stopped`` where it was told to, ``interrupted`` by a signal.
    """

    module: nn.Module
    step: int
    figures: dict[str, float]
    seconds: float
    ended: Literal["finished", "stopped", "interrupted"]


class Objective(nn.Module):
    """A task's losses as a module's forward: what spreads a module over processes, or casts it, hooks in there."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task, self.module = task, task.module

    def forward(self, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]) -> dict[str, Tensor]:
        """The losses of some rows."""
        return self.task.losses(self.module, batch, seeds)


def train(
    task: Task,
    config: TrainConfig,
    run: Path,
    *,
    accelerator: Any = None,
    on_step: OnTrainStep | None = None,
    stop_after: int | None = None,
) -> Trained:
    """Train ``task`` and return the averaged weights; a run found in the folder goes on.

    Args:
        task: what to train.
        config: settings.
        run: the run's folder.
        accelerator: of `make_accelerator`; made if left out.
        on_step: progress.
        stop_after: leave, with a checkpoint, after this many steps in all.

    Raises:
        ConfigError: settings that this machine or this task cannot follow.
        Diverged: a loss or gradient is not a number; the last good step is in a checkpoint.
        CapacityError: the disk is full; earlier checkpoints are as they were.
    """
    return _Run(task, config, run, accelerator or make_accelerator(config)).go(on_step, stop_after)


class _Run:
    """The state of one run in one process."""

    def __init__(self, task: Task, config: TrainConfig, folder: Path, accelerator: Any) -> None:
        self.task, self.config, self.folder, self.accelerator = task, config, folder, accelerator
        self.main: bool = accelerator.is_main_process
        optimizer = make_optimizer(task.module, config)
        self.objective, self.optimizer = accelerator.prepare(Objective(task), optimizer)
        self.average = MovingAverage(task.module, config.ema)
        self.progress = self._resume()
        self.curves = Curves(folder, self.progress.step) if self.main else None
        self.best = Best(folder, config.best_by) if config.keep == "best" else None

    def go(self, on_step: OnTrainStep | None, stop_after: int | None) -> Trained:
        """Train to the end, or until stopped."""
        config, progress = self.config, self.progress
        last = config.steps if stop_after is None else min(stop_after, config.steps)
        started, before, recent, stop = time.monotonic(), progress.seconds, list[Mapping[str, float]](), False
        self.task.module.train()
        with Interruption() as interruption:
            while progress.step < last and not stop:
                numbers, stop = self._step(interruption)
                progress.step += 1
                progress.seconds = before + time.monotonic() - started
                recent.append(numbers)
                if progress.step % config.log_every == 0 or progress.step == config.steps:
                    self._log(recent)
                if progress.step % config.validate_every == 0 or progress.step == config.steps:
                    self._validate()
                if progress.step % config.save_every == 0 or progress.step == last or stop:
                    self._save()
                if on_step and self.main:
                    on_step(progress.step, config.steps, numbers)
        if self.curves:
            self.curves.close()
        return self._trained(stop)

    def _step(self, interruption: Interruption) -> tuple[dict[str, float], bool]:
        """One step of the optimiser; its numbers, and whether any process wants to stop after it."""
        config, number = self.config, self.progress.step
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(number, config)
        pieces, sums = own_rows(self.accelerator, config), dict[str, Tensor]()
        for i, rows in enumerate(pieces):
            alone = self.accelerator.no_sync(self.objective) if i + 1 < len(pieces) else nullcontext()
            with alone:
                losses = self._losses(number, rows)
                self.accelerator.backward(losses["total"] / len(pieces))
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value.detach() / len(pieces)
        norm = self.accelerator.clip_grad_norm_(self.task.module.parameters(), config.clip_norm)
        told = [*sums.values(), torch.as_tensor(norm), torch.tensor(float(interruption.wanted))]
        *values, norm_value, wanted = mean_over_processes(self.accelerator, told).tolist()
        numbers = dict(zip(sums, values, strict=True))
        scaled = self.accelerator.scaler is not None  # fp16 leaves out steps whose gradients overflow
        if not all(map(_finite, numbers.values())) or not (scaled or _finite(norm_value)):
            self._stop_diverged(number, numbers)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.task.module, number)
        return {**numbers, "gradient_norm": norm_value}, wanted > 0

    def _losses(self, number: int, rows: range) -> Mapping[str, Tensor]:
        batch = {n: t.to(self.accelerator.device, non_blocking=True) for n, t in self.task.batch(number, rows).items()}
        seed_piece(self.config.seed, number, rows)
        losses: Mapping[str, Tensor] = self.objective(batch, row_seeds(self.config.seed, number, rows))
        return losses

    def _stop_diverged(self, number: int, numbers: Mapping[str, float]) -> None:
        """Keep the last good step and say what is wrong with this one."""
        self._save()
        clips = self._offenders(number) if self.main else []
        culprit = next((name for name, value in numbers.items() if not _finite(value)), "gradient")
        raise Diverged(
            f"step {number + 1}: the {culprit} {'loss ' if culprit in numbers else ''}is not a finite number, in a "
            f"batch with {', '.join(clips)}; steps 1 to {number} are kept in {self.folder}: look at these clips, or "
            "lower train.learning_rate"
        )

    def _offenders(self, number: int) -> Sequence[str]:
        """The clips whose rows alone give a loss that is no number; all of the batch if none does."""
        found, rows = [], range(self.config.batch_size)
        with torch.no_grad():
            for row in rows:
                alone = range(row, row + 1)
                batch = {n: t.to(self.accelerator.device) for n, t in self.task.batch(number, alone).items()}
                losses = self.task.losses(self.task.module, batch, row_seeds(self.config.seed, number, alone))
                if not all(bool(value.isfinite()) for value in losses.values()):
                    found += list(self.task.names(number, alone))
        return sorted(set(found or self.task.names(number, rows)))

    def _log(self, recent: list[Mapping[str, float]]) -> None:
        """A point of the curves: the means since the last one."""
        if self.curves:
            means = {name: sum(n[name] for n in recent) / len(recent) for name in recent[0]}
            norm, rate = means.pop("gradient_norm"), learning_rate(self.progress.step - 1, self.config)
            losses = {LOSS + name: value for name, value in means.items()}
            self.curves.add(self.progress.step, {**losses, "learning_rate": rate, "gradient_norm": norm})
        recent.clear()

    def _validate(self) -> None:
        """The main process validates the averaged weights; the others wait."""
        if self.curves:
            with torch.no_grad():
                figures = self.task.validate(self.average.module)
            if figures:
                self.curves.add(self.progress.step, {VALIDATION + name: value for name, value in figures.items()})
            if self.best:
                self.best.offer(self.progress.step, figures, self.average.module)
        self.accelerator.wait_for_everyone()

    def _save(self) -> None:
        """A checkpoint, by the main process."""
        if self.main:
            scaler = self.accelerator.scaler
            self.progress.scaler = scaler.state_dict() if scaler is not None else {}
            save_state(
                self.folder, self.progress, self.task.module, average=self.average.module, optimizer=self.optimizer,
                keep=self.config.checkpoints,
            )  # fmt: skip
        self.accelerator.wait_for_everyone()

    def _resume(self) -> Progress:
        """The latest whole checkpoint; a damaged one (the power failed) is left out for the one before."""
        states = saved_states(self.folder)
        for folder in states:
            try:
                progress = load_state(folder, self.task.module, self.average.module, self.optimizer)
            except CheckpointError as error:
                if folder == states[-1]:
                    raise
                warnings.warn(f"{error}; going on from an earlier checkpoint", DeclaimWarning, stacklevel=2)
                continue
            if progress.scaler and self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(progress.scaler)
            return progress
        return Progress()

    def _trained(self, interrupted: bool) -> Trained:
        step, module = self.progress.step, self.average.module.cpu()
        figures = (self.curves.validation_at(step) if self.curves else None) or {}
        if step < self.config.steps:
            ended: Literal["stopped", "interrupted"] = "interrupted" if interrupted else "stopped"
            return Trained(module, step, figures, self.progress.seconds, ended)
        if self.best and self.best.folder:
            step, figures = self.best.load(self.best.folder, module)
        return Trained(module, step, figures, self.progress.seconds, "finished")


def _finite(value: float) -> bool:
    return value - value == 0.0
