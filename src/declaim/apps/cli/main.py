"""The ``declaim`` command: mounts the sub-commands and turns every failure into one sentence and an exit code.

Exit codes: 0 done, 1 a fault of declaim itself, 2 a mistake in the input or the options, 3 the machine or an asset,
130 interrupted.
"""

import os
import sys
import warnings

import typer
from rich.markup import escape

from declaim.apps.cli import (
    assets,
    commands,
    corpus,
    doctor,
    evaluate,
    flame,
    generate,
    prepare,
    style,
    synthesize,
    train,
)
from declaim.apps.cli.health import system_libraries_advice
from declaim.apps.cli.progress import console
from declaim.errors import CapacityError, DeclaimError, DeclaimWarning

app = typer.Typer(
    name="declaim",
    help="A portrait and speech become a talking-head video. Start with: [bold]declaim demo[/bold]",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("generate")(generate.generate)
app.command("motion")(generate.motion)
app.command("render")(commands.render)
app.command("track")(commands.track)
app.command("demo")(commands.demo)
app.command("prepare")(prepare.prepare)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(corpus.app, name="corpus", help="Show, verify, pack and import corpora.")
app.add_typer(style.app, name="style", help="Take somebody's manner of speaking from a video; list those at hand.")
app.add_typer(assets.app, name="assets", help="List, pull, verify and remove the pretrained parts.")
app.add_typer(flame.app, name="flame", help="Motion to FLAME coefficients and back, for those who hold that model.")
app.command("synthesize")(synthesize.synthesize)
app.command("doctor")(doctor.doctor)


def _version(value: bool | None) -> None:
    if value:
        from declaim import __version__

        typer.echo(f"declaim {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool | None = typer.Option(None, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options of the command itself."""


def run(args: list[str] | None = None) -> None:
    """Entry point of the ``declaim`` script."""
    # The networks are too small to gain from a second thread, and on a busy machine two threads wait for each other:
    # 60 s of speech took 215 s of wall time with two threads and 32 s with one, beside two other busy processes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.showwarning = _show_warning
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", DeclaimWarning)
    try:
        app(args)
    except DeclaimError as error:
        _stop(str(error), error.exit_code)
    except KeyboardInterrupt:
        _stop("interrupted; nothing was left half-written", 130)
    except MemoryError:
        _stop("this machine ran out of memory; try a smaller --size or close other programs", CapacityError.exit_code)
    except Exception as error:
        if os.environ.get("DECLAIM_DEBUG"):
            raise
        if isinstance(error, ImportError | OSError) and (advice := system_libraries_advice()):
            _stop(f"this machine lacks {advice}", CapacityError.exit_code)
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        _stop(f"declaim failed unexpectedly ({what}); set DECLAIM_DEBUG=1 to see where, and please report it", 1)


def _show_warning(message: object, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, DeclaimWarning):
        console.print(f"[yellow]warning:[/yellow] {escape(str(message))}")


def _stop(sentence: str, code: int) -> None:
    console.print(f"[red]error:[/red] {escape(' '.join(sentence.split()))}")
    sys.exit(code)


if __name__ == "__main__":
    run()
