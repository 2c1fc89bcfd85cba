"""Rows of the labels that ``declaim prepare --labels`` takes, and the CSV file of them."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from declaim.errors import ConfigError, Unwritable
from declaim.pretrained import atomic_file


@dataclass(frozen=True)
class LabelRow:
    """One video of a published dataset.

    Attributes:
        path: the video.
        speaker: who speaks; no other dataset's speaker has this name.
        split: ``train``, ``eval``, ``val``; empty where none was published, then ``declaim prepare`` draws whole
            speakers for ``eval``.
        language: BCP 47 tag; empty if it is not known.
        licence: licence of the dataset.
        source: where the footage was published, or what it shows.
    """

    path: Path
    speaker: str
    split: str = ""
    language: str = ""
    licence: str = ""
    source: str = ""


def write_labels(rows: Sequence[LabelRow], path: Path) -> None:
    """Write a labels file, rows by path; paths are relative to it.

    Raises:
        Unwritable: the folder does not exist or cannot be written.
        CapacityError: the disk is full.
    """
    folder = Path(path).parent.resolve()
    if not folder.is_dir():
        raise Unwritable(f"cannot write {path}: the folder {folder} does not exist; create it first")
    named = sorted(({**asdict(row), "path": _relative(row.path, folder)} for row in rows), key=lambda row: row["path"])
    with atomic_file(Path(path)) as partial, partial.open("w", encoding="utf-8", newline="") as lines:
        table = csv.DictWriter(lines, [field.name for field in fields(LabelRow)], lineterminator="\n")
        table.writeheader()
        table.writerows(named)


def videos(root: Path, suffixes: Iterable[str] = (".mp4",)) -> list[Path]:
    """Every video below ``root``, by path; hidden files and folders are left out.

    Raises:
        ConfigError: no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise ConfigError(f"{root} is no folder; give the one that holds the dataset")
    wanted = tuple(suffixes)
    found = (path for path in root.rglob("*") if path.suffix.lower() in wanted and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _relative(path: Path, folder: Path) -> str:
    """With forward slashes; links are not followed, so that a dataset may be linked together from several disks."""
    return Path(os.path.relpath(path.absolute(), folder)).as_posix()
