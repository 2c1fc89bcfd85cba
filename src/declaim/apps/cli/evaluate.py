"""The command ``evaluate``: methods beside real people and the floor, by a frozen protocol."""

import time
from pathlib import Path
from typing import Annotated

import typer

from declaim.apps.cli.preflight import ensure_assets
from declaim.apps.cli.progress import console, stages


def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report; a later run goes on in it.")],
    corpus: Annotated[Path, typer.Option(help="A corpus made by declaim prepare.")],
    method: Annotated[
        list[str] | None, typer.Option(help="A method, or lips=METHOD,head=METHOD; may be given several times.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="METHOD=FOLDER of weights you trained; several of one method make several rows."),
    ] = None,
    renderer: Annotated[str, typer.Option(help="The renderer that draws the pictures.")] = "mesh",
    split: Annotated[str, typer.Option(help="Which clips.")] = "eval",
    seeds: Annotated[str, typer.Option(help="Takes, such as [bold]0,1,2[/bold].")] = "0,1,2",
    pictures: Annotated[bool, typer.Option(help="Draw and judge pictures too.")] = True,
    limit_per_speaker: Annotated[int | None, typer.Option(min=1, help="At most so many clips of each speaker.")] = None,
    protocol: Annotated[
        Path | None, typer.Option(help="Follow this protocol.json to the letter; stop if a clip has changed.")
    ] = None,
    syncnet: Annotated[Path | None, typer.Option(help="Folder of another sync expert.")] = None,
    readme: Annotated[Path | None, typer.Option(help="Also put the table between the markers of this file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bars, no summary; errors only.")] = False,
) -> None:
    """Evaluate methods on a corpus: report.md, report.json and a page that shows it all.

    Example: [bold]declaim evaluate --method fd2talk --corpus C --split eval -o REPORT[/bold]
    """
    started = time.monotonic()
    ensure_assets("face-landmarker", "whisper-tiny.en", quiet=quiet)
    if pictures:
        ensure_assets("mobilefacenet", "vgg16-hed", quiet=quiet)
    from declaim.data.corpus import Corpus
    from declaim.evaluation.markdown import with_table
    from declaim.evaluation.run import Wishes, write_text
    from declaim.evaluation.run import evaluate as run

    if readme is not None:
        _check_readme(readme)
    wishes = Wishes(
        methods=tuple(method or ("fd2talk",)),
        weights=tuple(weights or ()),
        renderer=renderer,
        split=split,
        seeds=_numbers(seeds),
        pictures=pictures,
        per_speaker=limit_per_speaker,
        protocol=protocol,
        syncnet=syncnet,
    )
    with stages(quiet) as bars:
        report = run(Corpus(corpus), output, wishes, bars.stage)
    if readme is not None:
        write_text(readme, with_table(readme.read_text(encoding="utf-8"), report))
    if not quiet:
        for sentence in report["verdict"]:
            console.print(sentence)
        console.print(f"wrote [bold]{output}[/bold] in {time.monotonic() - started:.0f} s")


def _numbers(text: str) -> tuple[int, ...]:
    from declaim.errors import ConfigError

    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise ConfigError(f"--seeds is {text!r}; expected whole numbers such as 0,1,2") from error


def _check_readme(path: Path) -> None:
    from declaim.errors import ConfigError
    from declaim.evaluation.markdown import BEGIN, END

    if not path.is_file() or not all(marker in path.read_text(encoding="utf-8") for marker in (BEGIN, END)):
        raise ConfigError(f"{path} has no lines {BEGIN} and {END}; put them where the table belongs")
