"""The footage's clips and their tracked truth, cached under declaim's cache folder."""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from declaim.assets import cache_folder
from declaim.data.tracks import cached_track
from declaim.errors import ConfigError
from declaim.face.track import Track
from declaim.media import read_audio
from declaim.types import Speech

DEFAULT_FOOTAGE = Path(os.environ.get("DECLAIM_FOOTAGE", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class FootageClip:
    """One row of the manifest."""

    path: Path
    name: str
    speaker: str
    source: str

    def speech(self) -> Speech:
        return read_audio(self.path)

    def track(self) -> Track:
        """The tracked face, from the cache if this file has been tracked before."""
        return cached_track(self.path, cache_folder() / "tracks")


def clips(
    footage: Path, split: str, speakers: list[str] | None = None, per_speaker: int | None = None
) -> list[FootageClip]:
    """The clips of one split, in the manifest's order.

    Args:
        footage: folder with manifest.csv.
        split: ``"eval"``, ``"train"``, ...
        speakers: only these.
        per_speaker: at most so many of each speaker, evenly spread over his clips.
    """
    manifest = footage / "manifest.csv"
    if not manifest.is_file():
        raise ConfigError(f"there is no footage in {footage}: give its folder with --footage or DECLAIM_FOOTAGE")
    with manifest.open(encoding="utf-8", newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["split"] == split and (not speakers or r["speaker"] in speakers)]
    groups: dict[str, list[FootageClip]] = {}
    for r in rows:
        clip = FootageClip(footage / r["path"], r["path"].removeprefix("clips/"), r["speaker"], r["source"])
        groups.setdefault(r["speaker"], []).append(clip)
    missing = set(speakers or ()) - set(groups)
    if missing or not groups:
        raise ConfigError(f"split {split!r} has no speaker {', '.join(sorted(missing)) or 'at all'}")
    return [clip for group in groups.values() for clip in _spread(group, per_speaker)]


def _spread(group: list[FootageClip], count: int | None) -> list[FootageClip]:
    if count is None or len(group) <= count:
        return group
    return [group[i] for i in np.linspace(0, len(group) - 1, count).round().astype(int)]


def track_all(
    wanted: list[FootageClip], on_clip: Callable[[int, int], None] | None = None
) -> list[tuple[FootageClip, Track]]:
    """Every clip with its track; clips in which no face is found raise."""
    result = []
    for i, clip in enumerate(wanted):
        result.append((clip, clip.track()))
        if on_clip:
            on_clip(i + 1, len(wanted))
    return result
