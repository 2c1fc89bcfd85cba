"""Progress bars on standard error, for people; silent when nobody is watching or ``--quiet`` is given."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

OnStep = Callable[[int, int], None]  # as in declaim.types, without importing torch for --help

console = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where the command line talks to people; standard output stays free for results."""


def standard_output() -> Console:
    """Where results go: tables that may be piped on."""
    return Console(highlight=False)


class Stages:
    """Named stages of a command, one bar each."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def stage(self, label: str, total: int | None = None) -> OnStep:
        """Begin a stage and return the hook that moves its bar."""
        if self._progress is None:
            return lambda done, total: None
        progress = self._progress
        task = progress.add_task(label, total=total)

        def on_step(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        return on_step

    def noted(self, label: str) -> Callable[..., None]:
        """A stage that shows itself when it begins; its hook takes (done, total) and perhaps a note."""
        bar: list[TaskID] = []

        def on_step(done: int, total: int, note: str = "") -> None:
            if self._progress is not None:
                if not bar:
                    bar.append(self._progress.add_task(label, total=total))
                text = f"{label}, {note}" if note else label
                self._progress.update(bar[0], completed=done, total=total or None, description=text)

        return on_step

    @property
    def visible(self) -> bool:
        """Whether anybody sees the bars."""
        return self._progress is not None

    def say(self, text: str) -> None:
        """A line of information between bars."""
        if self._progress is not None:
            self._progress.console.print(text)


@contextmanager
def stages(quiet: bool = False) -> Iterator[Stages]:
    """Bars for the stages of one command."""
    if quiet or not sys.stderr.isatty():
        yield Stages(None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Stages(progress)


def report(paths: Sequence[Path], started: float, quiet: bool, detail: str = "") -> None:
    """Say that files were written, and how long the command took."""
    if not quiet:
        names = f"{paths[0]}" if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"
        console.print(f"wrote [bold]{names}[/bold]{detail} in {time.monotonic() - started:.1f} s")
