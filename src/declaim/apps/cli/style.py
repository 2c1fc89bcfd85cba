"""``declaim style``: styles from videos, and those that come with a method; and ``--style`` of other commands."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from declaim.apps.cli.options import Face, Method, Quiet, Weights, face_choice
from declaim.apps.cli.preflight import check_input, check_output, ensure_assets
from declaim.apps.cli.progress import Stages, console, report, stages, standard_output

if TYPE_CHECKING:
    from declaim.motion.manner import Manner

app = typer.Typer(no_args_is_help=True)

READ_SUFFIXES = (".safetensors", ".npz")
"""Files that need no tracker to become a style."""
WORDS = ((0.5, "much less"), (0.8, "less"), (1.25, "about as much"), (2.0, "more"))
"""Words for multiples of the typical person's figure, up to each border."""


@app.command()
def extract(
    clip: Annotated[Path, typer.Argument(help="A video of somebody who speaks, or a motion file from track (.npz).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The style file to write.")] = Path(
        "style.safetensors"
    ),
    method: Method = "diffposetalk",
    weights: Weights = None,
    face: Face = None,
    quiet: Quiet = False,
) -> None:
    """Take the manner of the person in CLIP, for --style of generate and motion: two seconds at least.

    Sound plays no part. Of a video with cuts, the longest shot that shows a face is taken, at most its first minute.

    Example: [bold]declaim style extract her.mp4 -o her.safetensors[/bold]
    """
    started = time.monotonic()
    check_input(clip, "clip")
    check_output(output, (".safetensors",))
    if clip.suffix == READ_SUFFIXES[0]:
        from declaim.errors import ConfigError

        raise ConfigError(f"{clip} is a style file already; give a video, or a motion file (.npz)")
    if clip.suffix not in READ_SUFFIXES:
        ensure_assets("face-landmarker", quiet=quiet)
    loaded = _loaded(method, weights)
    from declaim.data.styles import style_from

    with stages(quiet) as bars:
        style = style_from(loaded, clip, face_choice(face), bars.stage)
    style.save(output)
    report([output], started, quiet, f" ({style.seconds:.1f} s of motion)")
    if not quiet and style.manner is not None:
        console.print(_table(style.manner))


@app.command("list")
def list_styles(method: Method = "diffposetalk", weights: Weights = None) -> None:
    """Show the named styles that come with a method's weights, beside a typical person (1)."""
    loaded = _loaded(method, weights)
    if not loaded.styles:
        typer.echo(f"these weights of {method} have no named styles; take one with: declaim style extract VIDEO")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "taken from", "mouth", "brows", "head turns", "head speed", "nods a minute"):
        table.add_column(column, justify="left" if column in ("name", "taken from") else "right", no_wrap=True)
    for name, style in sorted(loaded.styles.items()):
        figures = [] if style.manner is None else [f"{ratio:.2f}" for _, _, ratio in _figures(style.manner)[:-1]]
        nods = [] if style.manner is None else [f"{style.manner.nods:.0f}"]
        table.add_row(name, f"{style.source}, {style.seconds:.0f} s", *figures, *nods)
    standard_output().print(table)


def styled(
    method: Any,
    style: str | None,
    speech_guidance: float | None,
    style_guidance: float | None,
    bars: Stages,
    *,
    quiet: bool,
) -> Any:
    """A method as the options --style, --speech-guidance and --style-guidance want it.

    Raises:
        DeclaimError: see `declaim.data.styles.in_style`.
    """
    from declaim.data.styles import in_style
    from declaim.errors import ManyFaces

    if style is not None and Path(style).is_file() and Path(style).suffix not in READ_SUFFIXES:
        ensure_assets("face-landmarker", quiet=quiet)
    try:
        return in_style(
            method, style, speech_guidance=speech_guidance, style_guidance=style_guidance, on_stage=bars.stage
        )
    except ManyFaces as error:
        raise ManyFaces(
            f"the style's video {style} shows several faces; choose one with: "
            f"declaim style extract {style} --face largest, and give the file that it writes"
        ) from error


def _loaded(method: str, weights: Path | None) -> Any:
    """A method that takes styles, with its weights."""
    from declaim.data.styles import check_takes_styles
    from declaim.motion.casting import Role

    loaded = Role(method, weights).load()
    check_takes_styles(loaded)
    return loaded


def _figures(manner: "Manner") -> list[tuple[str, str, float]]:
    """What is said of a manner: name, value with unit, and how much it is of the typical person's."""
    from declaim.motion.manner import TYPICAL

    named = (
        ("mouth opening", f"{manner.mouth_cm:.2f} cm", manner.mouth_cm / TYPICAL.mouth_cm),
        ("brows", f"{manner.brows_cm:.2f} cm", manner.brows_cm / TYPICAL.brows_cm),
        ("head turns", f"{manner.turn_deg:.1f} degrees", manner.turn_deg / TYPICAL.turn_deg),
        ("head speed", f"{manner.speed_deg_s:.1f} degrees/s", manner.speed_deg_s / TYPICAL.speed_deg_s),
        ("nods", f"{manner.nods:.0f} a minute", manner.nods / TYPICAL.nods),
    )
    return list(named)


def _table(manner: "Manner") -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("moves", "by", "of a typical person's", ""):
        table.add_column(column, justify="left" if column in ("moves", "") else "right")
    for name, value, ratio in _figures(manner):
        word = next((word for border, word in WORDS if ratio <= border), "much more")
        table.add_row(name, value, f"{ratio:.2f}", word)
    return table
