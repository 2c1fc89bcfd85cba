"""``declaim assets``: list, pull, verify and remove the pretrained parts."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from declaim import assets
from declaim.apps.cli.progress import console, standard_output
from declaim.errors import AssetError

app = typer.Typer(no_args_is_help=True)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no report; errors are still shown.")]
Names = Annotated[list[str] | None, typer.Argument(help="Asset names; see: declaim assets list", show_default=False)]

_STATE_WORDS = {
    "complete": "[green]here[/green]",
    "absent": "not fetched",
    "incomplete": "[yellow]begun[/yellow]",
    "corrupt": "[red]corrupt[/red]",
}


@app.command("list")
def list_assets() -> None:
    """Show every pretrained part: size, licence, whether it is here, and what it is for."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("asset", "size", "licence", "state", "use"):
        table.add_column(
            column, justify="right" if column == "size" else "left", no_wrap=column in ("asset", "licence")
        )
    for asset in assets.ASSETS.values():
        use = asset.use if asset.required else f"{asset.use} (optional)"
        table.add_row(asset.name, _megabytes(asset.n_bytes), asset.licence, _STATE_WORDS[assets.state(asset.name)], use)
    out = standard_output()
    out.print(table)
    out.print(f"\nkept in {assets.cache_folder()} (set DECLAIM_HOME to change that)", soft_wrap=True)


@app.command()
def pull(
    names: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the optional ones.")] = False,
    origin: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="Take the files from this folder instead of the network."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fetch pretrained parts (without names: all that generating needs). Later runs work offline.

    A pull that was interrupted goes on where it stopped. Files are trusted by their SHA-256 alone.
    """
    for name in names or _default_names(everything):
        pull_with_bar(name, quiet=quiet, folder=origin)


@app.command()
def verify(names: Names = None, quiet: Quiet = False) -> None:
    """Hash every byte of the parts that are here, or of those named."""
    faults = []
    for name in names or [name for name in assets.ASSETS if assets.state(name) != "absent"]:
        try:
            assets.verify(name)
        except AssetError as fault:
            faults.append(str(fault))
        else:
            if not quiet:
                standard_output().print(f"[green]good[/green]  {name}")
    if faults:
        raise AssetError(". ".join(faults))


@app.command()
def remove(names: Annotated[list[str], typer.Argument(help="Asset names.")], quiet: Quiet = False) -> None:
    """Delete fetched parts from this machine."""
    for name in names:
        freed = assets.remove(name)
        if not quiet:
            standard_output().print(f"removed {name} ({_megabytes(freed)})" if freed else f"{name} was not here")


def pull_with_bar(name: str, *, quiet: bool = False, folder: Path | None = None) -> Path:
    """Fetch one asset with a progress bar on standard error, then say where it is and under which licence.

    Raises:
        AssetError: unknown asset; no source has the right file; the cache folder cannot be written.
        CapacityError: the disk is full.
    """
    asset = assets.lookup(name)
    if quiet:
        return assets.pull(name, folder=folder)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(name, total=asset.n_bytes)
        place = assets.pull(name, lambda done, total: progress.update(task, completed=done, total=total), folder=folder)
    console.print(f"{name}: {_megabytes(asset.n_bytes)}, licence {asset.licence} ({asset.origin}), in {place}")
    return place


def _default_names(everything: bool) -> list[str]:
    return [asset.name for asset in assets.ASSETS.values() if asset.required or everything]


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
