"""``declaim prepare``: a folder of videos becomes a corpus."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from declaim.apps.cli.preflight import ensure_assets, ensure_encoder
from declaim.apps.cli.progress import console, stages

if TYPE_CHECKING:
    from declaim.data.prepare import Summary

_MOST_ROWS = 12
"""Reasons and flags that are told; the rest is in the files."""


def prepare(
    folder: Annotated[Path, typer.Argument(help="Videos, in sub-folders or not.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The corpus: a new folder, or one to be completed.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file with the columns path (relative to it) and speaker, optionally split, language, licence, "
            "source \\[default: sub-folders are speakers]."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster that sees the same folders; see docs/data.md.")
    ] = None,
    tempos: Annotated[
        str, typer.Option(help="Tempos at which speech is encoded, such as [bold]1,0.9,1.12[/bold]: further speakers.")
    ] = "1",
    encoder: Annotated[str, typer.Option(help="The speech encoder.")] = "whisper-tiny.en",
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Leave out the square around the face and the tracker's points.")
    ] = False,
    picture_px: Annotated[int, typer.Option(min=64, max=1024, help="Side of the square, pixels, even.")] = 256,
    eval_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the speakers for evaluation, without labels.")
    ] = 0.1,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first files only.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bars, no summary; errors only.")] = False,
) -> None:
    """Turn the videos in FOLDER into a corpus for training and evaluation.

    Cuts, faces, motion, speech features, pictures, quality. Stop it at any time; the same command goes on where it was.
    Example: [bold]declaim prepare videos -o corpus --workers 8[/bold]
    """
    ensure_encoder(encoder, quiet=quiet)
    ensure_assets("face-landmarker", quiet=quiet)
    from pydantic import ValidationError

    from declaim.data.corpus import ClipRecord, Refusal
    from declaim.data.prepare import PrepareOptions, Source, find_sources, prepare_corpus
    from declaim.errors import ConfigError, MediaError

    try:
        options = PrepareOptions(
            encoder=encoder, tempos=_numbers(tempos), pictures=not no_pictures, picture_px=picture_px,
            eval_share=eval_share,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from error
    sources, refused = find_sources(folder, labels, options, without=output)
    sources = sources[:limit]
    with stages(quiet) as bars:
        on_step, done = bars.stage("preparing", len(sources)), 0

        def on_source(source: Source, results: list[ClipRecord | Refusal]) -> None:
            nonlocal done
            done += 1
            on_step(done, len(sources))
            for result in results:
                if isinstance(result, Refusal):
                    bars.say(f"[yellow]refused[/yellow] {result.source}: {result.reason}")

        found = prepare_corpus(sources, refused, output, options, workers=workers, ray=ray, on_source=on_source)
    if not quiet:
        _tell(output, found)
    if not found.clips:
        reason = next(iter(found.refused), "no file is left")
        raise MediaError(f"none of the files in {folder} gave a clip: {reason}; see {output / 'refused.jsonl'}")


def _numbers(text: str) -> tuple[float, ...]:
    from declaim.errors import ConfigError

    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise ConfigError(f"--tempos is {text!r}; expected numbers with commas between, such as 1,0.9,1.12") from error


def _tell(output: Path, found: "Summary") -> None:
    from rich.table import Table

    console.print(
        f"[bold]{output}[/bold]: {found.clips} clips, {found.usable} of them usable: {found.minutes:.1f} minutes of "
        f"{found.speakers} speakers"
    )
    for title, counts in (("flag", found.flags), ("refused", found.refused)):
        if counts:
            table = Table(title, "clips" if title == "flag" else "files", box=None)
            for name, count in list(counts.items())[:_MOST_ROWS]:
                table.add_row(name, str(count))
            console.print(table)
