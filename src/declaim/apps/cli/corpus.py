"""``declaim corpus``: show, verify, pack and import corpora."""

import re
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from declaim.apps.cli.preflight import check_output
from declaim.apps.cli.progress import console, stages

app = typer.Typer(no_args_is_help=True)

CorpusArgument = Annotated[Path, typer.Argument(help="A corpus made by [bold]declaim prepare[/bold].")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No bars, no summary; errors only.")]
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


@app.command()
def show(
    corpus: CorpusArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("corpus.html"),
    speakers: Annotated[
        list[str] | None, typer.Option("--speakers", help="Only clips of this speaker; may be given several times.")
    ] = None,
    most: Annotated[int, typer.Option(min=0, help="Clips to show, dealt evenly over the speakers.")] = 50,
    embed_mb: Annotated[
        float, typer.Option(min=0.0, help="Megabytes of pictures and sound kept in the page itself; others are linked.")
    ] = 40.0,
    quiet: Quiet = False,
) -> None:
    """Draw CORPUS as one HTML page: totals, tables, histograms, and clips that play beside their curves.

    Example: [bold]declaim corpus show my-corpus -o page.html[/bold]
    """
    check_output(output, (".html", ".htm"))
    from declaim.data.corpus import Corpus
    from declaim.data.page import EMBEDDED, Budget, write_page

    budget = Budget(EMBEDDED.file_bytes, round(embed_mb * 1e6))
    with stages(quiet) as bars:
        linked = write_page(
            Corpus(corpus), output, speakers=speakers, most=most, embedded=budget, on_step=bars.stage("clips")
        )
    if not quiet:
        console.print(f"wrote [bold]{escape(str(output))}[/bold] ({output.stat().st_size / 1e6:.1f} MB)")
        if linked:
            console.print(f"{linked} files are linked: the page plays them while the corpus stays where it is")


@app.command()
def verify(corpus: CorpusArgument, quiet: Quiet = False) -> None:
    """Hash every file of CORPUS and compare it with the list; damaged and missing files are named.

    Example: [bold]declaim corpus verify my-corpus[/bold]
    """
    from declaim.data.corpus import Corpus
    from declaim.errors import CheckpointError

    opened = Corpus(corpus)
    faults = opened.verify()
    n_files = sum(len(clip.files) for clip in opened.clips)
    if faults:
        for name in faults:
            typer.echo(name)
        raise CheckpointError(
            f"{len(faults)} of {n_files} files of {corpus} are missing or damaged, {faults[0]} the first; delete their "
            "clips' folders and run the same declaim prepare again"
        )
    if not quiet:
        console.print(f"[green]good[/green]  {len(opened.clips)} clips, {n_files} files")


@app.command()
def shards(
    corpus: CorpusArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")],
    size: Annotated[str, typer.Option(help="Largest size of a shard, for instance 256MB or 1GiB.")] = "256MB",
    keys: Annotated[
        list[str] | None,
        typer.Option("--keys", help="Only these files of each clip (motion, speech, ...); may be given several times."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Pack CORPUS into WebDataset tar files for streaming; run again after an interruption, it goes on.

    Example: [bold]declaim corpus shards my-corpus -o shards --size 1GB[/bold]
    """
    from declaim.data.corpus import Corpus
    from declaim.data.shards import write_shards

    started = time.monotonic()
    with stages(quiet) as bars:
        entries = write_shards(
            Corpus(corpus), output, shard_bytes=parse_size(size), keys=keys, on_step=bars.stage("clips")
        )
    if not quiet:
        total, clips = sum(entry.size for entry in entries) / 1e6, sum(entry.clips for entry in entries)
        console.print(
            f"{escape(str(output))}: {clips} clips in {len(entries)} shards, {total:.1f} MB, "
            f"{time.monotonic() - started:.1f} s"
        )


@app.command("import")
def import_labels(
    dataset: Annotated[str, typer.Argument(help="hdtf, voxceleb2, mead or tfhp.")],
    root: Annotated[Path, typer.Argument(help="The folder in which you unpacked it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The labels file to write.")] = Path("labels.csv"),
    quiet: Quiet = False,
) -> None:
    """List a published dataset's videos for [bold]declaim prepare --labels[/bold]: speakers, splits, licences.

    Nothing is downloaded: bring the dataset with your own access to it.
    Example: [bold]declaim corpus import voxceleb2 /data/voxceleb2 -o labels.csv[/bold]
    """
    check_output(output, (".csv",))
    from declaim.data.converters import DATASETS, read_dataset, write_labels

    rows = read_dataset(dataset, root)
    write_labels(rows, output)
    if not quiet:
        console.print(
            f"wrote [bold]{escape(str(output))}[/bold]: {len(rows)} videos of {len({row.speaker for row in rows})} "
            f"speakers, licence {escape(DATASETS[dataset].licence)}"
        )
        console.print(f"go on with: declaim prepare {root} --labels {output} -o CORPUS", markup=False)


def parse_size(text: str) -> int:
    """Bytes of ``256MB``, ``1.5 GiB``, ``1000000``.

    Raises:
        ConfigError: it is no size.
    """
    from declaim.errors import ConfigError

    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", text.upper())
    if match is None or match[2] not in _UNITS:
        raise ConfigError(f"--size is {text!r}; expected a number with a unit, for instance 256MB")
    return round(float(match[1]) * _UNITS[match[2]])
