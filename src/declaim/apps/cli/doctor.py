"""``declaim doctor``: what is missing or odd on this machine, in plain words."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from declaim.apps.cli.health import examine

_MARKS = {"good": "[green]good[/green]", "odd": "[yellow]odd [/yellow]", "bad": "[red]bad [/red]"}


def doctor(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what keeps declaim from working.")] = False,
) -> None:
    """Look at this machine and say what is missing or odd, and what to do about it.

    Exits with 0 if declaim can work here and with 1 if not.
    """
    out = Console(highlight=False, soft_wrap=True)
    bad = odd = 0
    for finding in examine():
        bad += finding.level == "bad"
        odd += finding.level == "odd"
        if finding.level == "bad" or not quiet:
            out.print(f"{_MARKS[finding.level]}  {escape(finding.subject):<16} {escape(finding.text)}")
    if bad:
        out.print(f"\ndeclaim cannot work here yet: {bad} thing{'s' if bad > 1 else ''} to put right (marked bad)")
        raise typer.Exit(1)
    if not quiet:
        out.print("\ndeclaim can work here" + (f"; {odd} thing{'s' if odd > 1 else ''} could be better" if odd else ""))
