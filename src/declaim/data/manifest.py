"""The footage's list of clips: ``manifest.csv`` beside ``clips/``."""

import csv
from dataclasses import dataclass
from pathlib import Path

from declaim.errors import ConfigError


@dataclass(frozen=True)
class FootageClip:
    """One row of the manifest.

    Attributes:
        path: the video file.
        speaker: who speaks; splits never share a speaker.
        split: ``"train"``, ``"eval"``, ...
    """

    path: Path
    speaker: str
    split: str

    @property
    def name(self) -> str:
        """Unique name, fit for a file."""
        return f"{self.speaker}_{self.path.stem}"


def read_manifest(footage: Path, splits: tuple[str, ...] = ("train",)) -> list[FootageClip]:
    """The clips of some splits, in the manifest's order.

    Args:
        footage: folder with ``manifest.csv`` (columns path, speaker, split) and the clips.
        splits: which splits.

    Raises:
        ConfigError: no manifest, a column missing, or no clip of these splits.
    """
    path = Path(footage) / "manifest.csv"
    if not path.is_file():
        raise ConfigError(f"there is no manifest.csv in {footage}: expected a folder of footage")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    try:
        clips = [FootageClip(Path(footage) / r["path"], r["speaker"], r["split"]) for r in rows]
    except KeyError as error:
        raise ConfigError(f"{path} has no column {error}: expected path, speaker and split") from error
    wanted = [clip for clip in clips if clip.split in splits]
    if not wanted:
        raise ConfigError(f"{path} lists no clip of split {' or '.join(splits)}")
    return wanted
