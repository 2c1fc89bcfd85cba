"""The files of a folder: who speaks in them, which split they belong to, what their clips are called."""

import csv
import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from declaim.data.corpus import Refusal
from declaim.data.prepare.options import PrepareOptions, Source
from declaim.errors import ConfigError

_SUFFIXES = frozenset((
    ".3gp", ".asf", ".avi", ".dv", ".flv", ".gif", ".h264", ".hevc", ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
    ".aac", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma",
))  # fmt: skip
"""Files named so are media, and are refused with a reason if they give no clip; others are no business of a corpus."""
_COLUMNS = {"language": ("language",), "licence": ("licence", "license", "footage"), "origin": ("source",)}


def find_sources(
    folder: Path, labels: Path | None, options: PrepareOptions, without: Path | None = None
) -> tuple[list[Source], list[Refusal]]:
    """The media files of a folder and its sub-folders, by name, and those that cannot be taken.

    Args:
        folder: looked through; hidden files and folders are left out.
        labels: a CSV file with a header: ``path`` (relative to the CSV file) and ``speaker``, optionally ``split``,
            ``language``, ``licence`` and ``source`` (where it was published). Without it the speaker is the first
            sub-folder's name, or the file's.
        options: share of the speakers that go to split ``eval`` where the labels do not say; whose speech is encoded
            at other tempos.
        without: a folder inside it that is left out: the corpus.

    Raises:
        ConfigError: no such folder, no media in it, or wrong labels.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; give the folder that holds the videos")
    files = _media(folder, without)
    if not files:
        raise ConfigError(f"there is no video in {folder} or its sub-folders; give the folder that holds the videos")
    names = {path.relative_to(folder).as_posix(): path for path in files}
    rows = None if labels is None else _read_labels(labels)
    bases = _bases(names)
    sources, refused = [], []
    for name, path in names.items():
        row = {"speaker": _speaker(name)} if rows is None else rows.pop(path.resolve(), None)
        if row is None:
            refused.append(Refusal(source=name, reason="the labels do not list it"))
            continue
        sources.append(_source(name, path, bases[name], row, options.eval_share))
    for path in rows or {}:
        if path.is_relative_to(folder.resolve()) and not path.is_file():
            refused.append(
                Refusal(source=path.relative_to(folder.resolve()).as_posix(), reason="there is no such file")
            )
    _check_splits(sources, labels)
    return _with_tempos(sources, options.tempo_clips), sorted(refused, key=lambda r: r.source)


def hashed_split(speaker: str, eval_share: float) -> str:
    """``eval`` for about ``eval_share`` of all speakers, ``train`` for the others; always the same for a name."""
    number = int.from_bytes(hashlib.sha256(speaker.encode()).digest()[:8], "big")
    return "eval" if number < eval_share * 2**64 else "train"


def _media(folder: Path, without: Path | None) -> list[Path]:
    left_out = None if without is None else Path(without).resolve()
    found = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() not in _SUFFIXES or any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        if left_out is None or not path.resolve().is_relative_to(left_out):
            found.append(path)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _read_labels(labels: Path) -> dict[Path, Mapping[str, str]]:
    try:
        with Path(labels).open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot read the labels {labels}: {error}") from error
    found: dict[Path, Mapping[str, str]] = {}
    for number, row in enumerate(rows, 2):
        if not row.get("path") or not row.get("speaker"):
            raise ConfigError(
                f"line {number} of {labels} has no path or no speaker; expected a header with path and speaker, and "
                "both in every line"
            )
        found[(Path(labels).parent / row["path"]).resolve()] = row
    if not found:
        raise ConfigError(f"{labels} lists nothing; expected a header with path and speaker, and one line a video")
    return found


def _source(name: str, path: Path, base: str, row: Mapping[str, str], eval_share: float) -> Source:
    extra = {
        key: next((row[c].strip() for c in columns if (row.get(c) or "").strip()), None)
        for key, columns in _COLUMNS.items()
    }
    speaker = row["speaker"].strip()
    return Source(
        path=path.resolve(),
        name=name,
        base=base,
        speaker=speaker,
        split=(row.get("split") or "").strip() or hashed_split(speaker, eval_share),
        language=extra["language"],
        licence=extra["licence"],
        origin=extra["origin"] or "",
    )


def _speaker(name: str) -> str:
    """First sub-folder, or the file's name without its suffix."""
    parts = name.split("/")
    return parts[0] if len(parts) > 1 else Path(name).stem


def _check_splits(sources: Iterable[Source], labels: Path | None) -> None:
    splits = defaultdict(set)
    for source in sources:
        splits[source.speaker].add(source.split)
    for speaker, of in splits.items():
        if len(of) > 1:
            raise ConfigError(
                f"{labels} puts speaker {speaker!r} into the splits {' and '.join(sorted(of))}; one speaker belongs "
                "to one split"
            )


def _with_tempos(sources: Iterable[Source], most: int) -> list[Source]:
    """The sources, told which of them are encoded at other tempos."""
    count: Counter[str] = Counter()
    told = []
    for source in sources:
        count[source.speaker] += 1
        other = source.split != "eval" and count[source.speaker] <= most
        told.append(source.model_copy(update={"other_tempos": other}))
    return told


def _bases(names: Iterable[str]) -> dict[str, str]:
    """A name for the clips of every file: its own, fit for a folder; with a hash where two would be alike."""
    plain = {name: _plain(name) for name in names}
    many = {base for base, n in Counter(base.lower() for base in plain.values()).items() if n > 1}
    return {
        name: f"{base}-{hashlib.sha256(name.encode()).hexdigest()[:8]}" if base.lower() in many else base
        for name, base in plain.items()
    }


def _plain(name: str) -> str:
    """Letters, digits, ``_`` and ``-`` alone; at most 100 bytes, so that files in that folder can be written."""
    stem = unicodedata.normalize("NFC", name.rsplit(".", 1)[0])
    plain = re.sub(r"-{2,}", "-", re.sub(r"[^\w-]+", "_", stem)).strip("_-") or "clip"
    if len(plain.encode()) > 100:
        short = plain.encode()[:90].decode(errors="ignore")
        plain = f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return plain
