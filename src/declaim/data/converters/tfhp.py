"""TFHP (Sun et al., SIGGRAPH 2024, with DiffPoseTalk): talking heads with much head motion, given out on request.

    ROOT/**/data/TH_00001/000.mp4                      person, video: what TFHP_raw.zip holds
    ROOT/**/HDTF_TFHP-lmdb/{train,val,test}.txt        "PERSON/VIDEO" a line: the published split of HDTF and TFHP

The published split is honoured where it names a video (test is ``eval``). The packed coefficients (lmdb) are FLAME's
and hold no pictures; they are not read.
"""

import re
from pathlib import Path

from declaim.data.converters.labels import LabelRow, videos

LICENCE = "TFHP licence (on request from its authors; see the LICENSE beside it)"
_SPLITS = {"train": "train", "val": "val", "test": "eval"}
_PERSON = re.compile(r"TH_?\d+")


def tfhp_labels(root: Path) -> list[LabelRow]:
    """Labels of the raw videos below ``root``.

    Raises:
        ConfigError: no such folder.
    """
    found, splits = videos(root), _published(root)
    by_person = {key.partition("/")[0]: split for key, split in splits.items()}
    rows = []
    for path in found:
        person = path.parent.name
        if _PERSON.fullmatch(person):
            split = splits.get(f"{person}/{path.stem}") or by_person.get(person, "")
            rows.append(LabelRow(path, f"tfhp-{person}", split, "", LICENCE, f"TFHP, {person}/{path.stem}"))
    return rows


def _published(root: Path) -> dict[str, str]:
    """Split of every listed "PERSON/VIDEO"."""
    return {
        line.strip(): split
        for name, split in _SPLITS.items()
        for path in sorted(Path(root).rglob(f"{name}.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.count("/") == 1
    }
