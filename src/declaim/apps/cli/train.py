"""``declaim train``: every trainable part of the project, by its recipe."""

import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from declaim.apps.cli.progress import Stages, console, stages

LOG_S = 30.0
"""Seconds between lines where no bar is shown."""


def train(
    recipe: Annotated[str, typer.Argument(help="What to train; an unknown name lists the known ones.")],
    corpus: Annotated[
        Path | None, typer.Option("--corpus", "-C", help="Folder of a corpus, made by [bold]declaim prepare[/bold].")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The run's folder; the weights go to its folder weights.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Settings to begin with: default, tiny, paper, … of the recipe.")
    ] = "default",
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: name=value; may be given several times.")
    ] = None,
    resume: Annotated[
        str,
        typer.Option(
            help="What to do with a run in the folder: [bold]auto[/bold] goes on if its settings are the same, "
            "[bold]force[/bold] whatever they are, [bold]never[/bold] refuses."
        ),
    ] = "auto",
    stop_after: Annotated[int | None, typer.Option(min=1, help="Leave after this many steps in all.")] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print the settings with their values, and leave.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bars, no summary; errors only.")] = False,
) -> None:
    """Train a part of declaim; the same command goes on where a run was cut short.

    Example: [bold]declaim train fd2talk --corpus C -o RUN --set train.steps=400[/bold]

    With [bold]accelerate launch --num_processes 4 -m declaim[/bold] in place of [bold]declaim[/bold], on four GPUs.
    """
    from declaim.errors import ConfigError, Diverged
    from declaim.recipes.overrides import overridden
    from declaim.recipes.run import find_recipe, preset_settings, run_recipe

    found = find_recipe(recipe)
    chosen = overridden(preset_settings(found, preset), assignments or [])
    if settings:
        _print_settings(chosen)
        return
    if corpus is None or output is None:
        raise ConfigError(f"--corpus and --output are needed, as in: declaim train {recipe} --corpus C -o RUN")
    if resume not in ("auto", "force", "never"):
        raise ConfigError(f"--resume is {resume!r}; it can be auto, force or never")
    speaks = os.environ.get("RANK", "0") == "0"  # the first of the processes that accelerate launched
    command = _command(recipe, corpus, output, preset, assignments or [])
    how: Any = resume
    try:
        with stages(quiet or not speaks) as bars:
            outcome = run_recipe(
                found, chosen, corpus, output, command=command, resume=how, stop_after=stop_after,
                hooks=_hooks(bars, quiet or not speaks),
            )  # fmt: skip
    except Diverged as error:
        if speaks:
            raise
        raise typer.Exit(error.exit_code) from None
    _report(outcome, output, quiet or not speaks)


def _command(recipe: str, corpus: Path, output: Path, preset: str, assignments: list[str]) -> str:
    """The command as the model card names it: without this machine's folders."""
    parts = ["declaim", "train", recipe, "--corpus", corpus.resolve().name, "-o", output.resolve().name]
    parts += [] if preset == "default" else ["--preset", preset]
    return shlex.join([*parts, *(part for text in assignments for part in ("--set", text))])


def _hooks(bars: Stages, quiet: bool) -> Any:
    from declaim.recipes.run import Hooks

    training = bars.noted("training")
    log = _Log(quiet or bars.visible)

    def step(done: int, total: int, losses: Mapping[str, float]) -> None:
        training(done, total, f"loss {losses['total']:.3f}")
        log(done, total, losses["total"])

    return Hooks(bars.noted("reading the corpus"), step, bars.noted("fitting"))


class _Log:
    """A line every half minute where there is no bar: batch jobs, files."""

    def __init__(self, silent: bool) -> None:
        self._silent, self._began, self._due = silent, time.monotonic(), time.monotonic()
        self._first = 0

    def __call__(self, done: int, total: int, loss: float) -> None:
        now = time.monotonic()
        self._first = self._first or done
        if self._silent or (now < self._due and done < total):
            return
        self._due = now + LOG_S
        rate = (done - self._first) / max(now - self._began, 1e-9)
        left = f", {(total - done) / rate / 60:.1f} min left" if done > self._first else ""
        console.print(f"step {done} of {total}, loss {loss:.3f}{left}")


def _report(outcome: Any, output: Path, quiet: bool) -> None:
    if outcome.ended == "interrupted":
        if not quiet:
            console.print(f"interrupted after step {outcome.step}; the same command goes on from there")
        raise typer.Exit(130)
    if quiet:
        return
    for name, value in outcome.figures.items():
        console.print(f"{name}: {value:.3f}")
    if outcome.weights is None:
        console.print(f"stopped after step {outcome.step}; the same command goes on from there")
    else:
        console.print(f"wrote [bold]{outcome.weights}[/bold]")


def _print_settings(chosen: Any) -> None:
    from declaim.recipes.overrides import described, shown

    table = Table("setting", "value", "meaning")
    for name, value, meaning in described(chosen):
        table.add_row(name, escape(shown(value)), escape(meaning))
    Console(soft_wrap=False).print(table)
