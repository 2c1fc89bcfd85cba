"""Runs a recipe on a corpus: everything between the command line and the training loop."""

import hashlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from declaim.data.corpus import CLIPS_FILE, Corpus
from declaim.errors import ConfigError
from declaim.recipes.base import Fit, Recipe, Settings
from declaim.recipes.card import card_text
from declaim.recipes.overrides import flattened
from declaim.registry import RECIPES, resolve
from declaim.train.curves import draw_curves
from declaim.train.identity import Resume, claim_folder
from declaim.train.loop import OnTrainStep, train
from declaim.train.processes import make_accelerator
from declaim.types import OnStep

WEIGHTS_FOLDER = "weights"
"""Folder in the run's folder that holds what was made."""


@dataclass(frozen=True)
class Hooks:
    """Progress of a run.

    Attributes:
        reading: of the corpus: (clips done, clips in all).
        step: of the training.
        fitting: of a closed-form fit.
    """

    reading: OnStep | None = None
    step: OnTrainStep | None = None
    fitting: OnStep | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        ended: as in `declaim.train.loop.Trained`.
        step: steps done; 0 for a fit.
        figures: on held-out clips.
        weights: the folder that was written; None if the run was not finished.
    """

    ended: Literal["finished", "stopped", "interrupted"]
    step: int
    figures: dict[str, float] = field(default_factory=dict)
    weights: Path | None = None


def preset_settings(recipe: Recipe, name: str) -> Any:
    """Settings by name.

    Raises:
        ConfigError: no such preset.
    """
    if name not in recipe.presets:
        raise ConfigError(f"{recipe.name} has no preset {name!r}; it has: {', '.join(recipe.presets)}")
    return recipe.presets[name]


def find_recipe(name: str) -> Recipe:
    """The recipe registered as ``name``.

    Raises:
        ConfigError: there is none.
    """
    recipe: Recipe = resolve(RECIPES, name, kind="recipe")
    return recipe


def run_recipe(
    recipe: Recipe,
    settings: Any,
    corpus: Path,
    run: Path,
    *,
    command: str,
    resume: Resume = "auto",
    stop_after: int | None = None,
    hooks: Hooks | None = None,
) -> Outcome:
    """Train or fit, and write RUN/weights; a run that was cut short goes on.

    Args:
        recipe: what to run.
        settings: its settings.
        corpus: folder of a corpus.
        run: the run's folder.
        command: the command line, for the model card.
        resume: see `claim_folder`.
        stop_after: leave, with a checkpoint, after this many steps in all.
        hooks: progress.

    Raises:
        DeclaimError: see `claim_folder`, `Corpus` and `train`.
    """
    found, hooks = Corpus(corpus), hooks or Hooks()
    accelerator: Any = make_accelerator(settings.train) if isinstance(settings, Settings) else None
    main = accelerator is None or bool(accelerator.is_main_process)
    identity = {"recipe": recipe.name, "corpus": _fingerprint(found), **dict(flattened(settings))}
    claim_folder(run, identity, resume, write=main)
    if accelerator is not None:
        accelerator.wait_for_everyone()
        torch.manual_seed(settings.train.seed)  # first weights
    task = recipe.task(found, settings, hooks.reading)
    if isinstance(task, Fit):
        return _fit(task, run, command, found.folder, hooks)
    trained = train(task, settings.train, run, accelerator=accelerator, on_step=hooks.step, stop_after=stop_after)
    if main:
        draw_curves(run)
    if trained.ended != "finished" or not main:
        accelerator.end_training()
        return Outcome(trained.ended, trained.step, trained.figures)
    card = card_text(
        command=command, corpus=corpus, clips=task.clips, seconds=trained.seconds, figures=trained.figures,
        hardware=_hardware(accelerator.device.type, accelerator.num_processes), seed=settings.train.seed,
    )  # fmt: skip
    task.save(trained.module, run / WEIGHTS_FOLDER, card)
    accelerator.end_training()
    return Outcome(trained.ended, trained.step, trained.figures, run / WEIGHTS_FOLDER)


def _fit(task: Fit, run: Path, command: str, corpus: Path, hooks: Hooks) -> Outcome:
    started = time.monotonic()
    task.fit(hooks.fitting)
    seconds, figures = time.monotonic() - started, task.validate()
    card = card_text(
        command=command, corpus=corpus, clips=task.clips, seconds=seconds, figures=figures, hardware=_hardware("cpu", 1)
    )
    task.save(run / WEIGHTS_FOLDER, card)
    return Outcome("finished", 0, figures, run / WEIGHTS_FOLDER)


def _fingerprint(corpus: Corpus) -> str:
    """Changes with every file of the corpus: its list names them with their checksums."""
    return hashlib.sha256((corpus.folder / CLIPS_FILE).read_bytes()).hexdigest()


def _hardware(device: str, processes: int) -> str:
    name = torch.cuda.get_device_name() if device == "cuda" else f"{device.upper()} ({os.cpu_count()} cores)"
    return f"{processes} x {name}" if processes > 1 else f"one {name}"
