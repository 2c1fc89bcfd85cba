"""VoxCeleb2 (Chung et al., Interspeech 2018): a million utterances of 6,112 people, cut from interviews.

    ROOT/**/dev/mp4/id00012/21Uxsk56VDQ/00001.mp4      speaker, video, utterance
    ROOT/**/test/mp4/id00017/...                       also where the archive was unpacked without "test"
    ROOT/**/vox2_meta.csv                              VoxCeleb2 ID, VGGFace2 ID, Gender, Set (dev or test)

The published sets are honoured: dev is ``train``, test is ``eval``. Where ``vox2_meta.csv`` is absent, the folders
tell the set by their names.
"""

import csv
import re
from pathlib import Path

from declaim.data.converters.labels import LabelRow, videos
from declaim.errors import ConfigError

LICENCE = "CC BY 4.0 (the videos' copyright stays with their owners)"
_SPLITS = {"dev": "train", "test": "eval"}
_SPEAKER = re.compile(r"id\d{5}")


def voxceleb2_labels(root: Path) -> list[LabelRow]:
    """Labels of the utterances below ``root``.

    Raises:
        ConfigError: no such folder; a speaker's set cannot be told; a damaged ``vox2_meta.csv``.
    """
    rows, sets = [], _sets(root)
    for path in videos(root):
        if len(path.parts) < 3 or not _SPEAKER.fullmatch(speaker := path.parts[-3]):
            continue
        split = sets.get(speaker) or next((_SPLITS[part] for part in path.parts[-4::-1] if part in _SPLITS), None)
        if split is None:
            raise ConfigError(
                f"cannot tell whether {speaker} belongs to VoxCeleb2's dev or test set; put vox2_meta.csv into {root}"
            )
        address = f"https://www.youtube.com/watch?v={path.parts[-2]}"
        rows.append(LabelRow(path, f"voxceleb2-{speaker}", split, "", LICENCE, address))
    return rows


def _sets(root: Path) -> dict[str, str]:
    """Split of every listed speaker. The published file pads its columns with blanks and tabs."""
    found: dict[str, str] = {}
    for path in sorted(Path(root).rglob("vox2_meta.csv")):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            table = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(row)]
        try:
            speaker, which = table[0].index("VoxCeleb2 ID"), table[0].index("Set")
            found |= {row[speaker]: _SPLITS[row[which]] for row in table[1:]}
        except (ValueError, IndexError, KeyError) as error:
            raise ConfigError(
                f"{path} is damaged ({error}); expected the columns VoxCeleb2 ID and Set, with dev or test"
            ) from error
    return found
