"""All files of a folder to one corpus, on one process or many."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from declaim.data import executors
from declaim.data.corpus import (
    CLIPS_FILE,
    CLIPS_FOLDER,
    CORPUS_FILE,
    REFUSED_FILE,
    ClipRecord,
    CorpusInfo,
    Refusal,
    read_info,
    write_info,
    write_lines,
)
from declaim.data.prepare.options import PrepareOptions, Source
from declaim.data.prepare.source import prepare_source
from declaim.errors import ConfigError, Unwritable
from declaim.pretrained import write_error
from declaim.timebase import duration_s

OnSource = Callable[[Source, list[ClipRecord | Refusal]], None]
"""Called with every source that is done."""


@dataclass(frozen=True)
class Summary:
    """What a corpus holds."""

    clips: int
    usable: int
    minutes: float
    """Of usable clips."""
    speakers: int
    """With a usable clip."""
    refused: dict[str, int]
    """How often each reason occurred."""
    flags: dict[str, int]
    """How many clips wear each flag."""


def prepare_corpus(
    sources: Sequence[Source],
    refused: Sequence[Refusal],
    corpus: Path,
    options: PrepareOptions,
    *,
    workers: int = 1,
    ray: str | None = None,
    on_source: OnSource | None = None,
) -> Summary:
    """Prepare sources into a corpus; the same files come of them whatever the number of workers or interruptions.

    Args:
        sources: the files, see `find_sources`.
        refused: what was refused already.
        corpus: the corpus's folder; made if it is not there, completed if it is.
        options: see `PrepareOptions`.
        workers: processes on this machine.
        ray: address of a Ray cluster whose machines all see the files and the corpus under the same paths.
        on_source: called with every source that is done.

    Raises:
        ConfigError: the folder holds something else, or a corpus made with other options.
        CheckpointError: it holds a corpus of another version.
        AssetError: the tracker or the encoder has not been fetched.
        CapacityError, Unwritable: the corpus cannot be written.
    """
    corpus = Path(corpus).resolve()
    claim(corpus, options)
    records: list[ClipRecord] = []
    refusals = list(refused)

    def on_result(source: Source, outcome: list[ClipRecord | Refusal] | executors.WorkerLost) -> None:
        if isinstance(outcome, executors.WorkerLost):
            outcome = [Refusal(source=source.name, reason=outcome.reason)]
        records.extend(r for r in outcome if isinstance(r, ClipRecord))
        refusals.extend(r for r in outcome if isinstance(r, Refusal))
        if len(records) % 50 == 0:
            records.sort(key=_name)
            write_lines(corpus / CLIPS_FILE, records)
        if on_source:
            on_source(source, outcome)

    function = partial(prepare_source, corpus=corpus, options=options)
    executors.run(function, sources, workers=workers, ray=ray, on_result=on_result)
    records.sort(key=_name)
    refusals.sort(key=lambda refusal: (refusal.source, refusal.reason))
    write_lines(corpus / CLIPS_FILE, records)
    write_lines(corpus / REFUSED_FILE, refusals)
    return summary(records, refusals)


def _name(record: ClipRecord) -> str:
    return record.name


def claim(corpus: Path, options: PrepareOptions) -> None:
    """Make the folder a corpus with these options, or see that it is one.

    Raises:
        ConfigError: it holds something else, or a corpus made with other options.
        CheckpointError: a corpus of another version.
        Unwritable, CapacityError: it cannot be written.
    """
    settings = options.settings()
    try:
        corpus.mkdir(parents=True, exist_ok=True)
        strangers = [p.name for p in corpus.iterdir() if p.name != CLIPS_FOLDER and not p.name.startswith(".")]
    except FileExistsError as error:
        raise Unwritable(f"cannot write the corpus {corpus}: there is a file of that name; choose another") from error
    except OSError as error:
        raise write_error(corpus, error) from error
    if not (corpus / CORPUS_FILE).is_file():
        if strangers:
            raise ConfigError(
                f"{corpus} holds {sorted(strangers)[0]} and is no corpus; give an empty or a new folder with -o"
            )
        (corpus / CLIPS_FOLDER).mkdir(exist_ok=True)
        write_info(corpus, CorpusInfo(encoder=options.encoder, made_by="declaim prepare", settings=settings))
        return
    earlier = read_info(corpus).settings
    differing = [key for key in settings if earlier.get(key) != settings[key]]
    if differing:
        told = ", ".join(f"{key} {earlier.get(key)} instead of {settings[key]}" for key in differing)
        raise ConfigError(f"{corpus} was prepared with {told}; use the same options, or another folder with -o")


def summary(records: Sequence[ClipRecord], refusals: Sequence[Refusal]) -> Summary:
    """Counts of a corpus."""
    usable = [record for record in records if record.usable]
    return Summary(
        clips=len(records),
        usable=len(usable),
        minutes=sum(duration_s(record.frames) for record in usable) / 60,
        speakers=len({record.speaker for record in usable}),
        refused=dict(Counter(refusal.reason for refusal in refusals).most_common()),
        flags=dict(Counter(flag for record in records for flag in record.flags).most_common()),
    )
