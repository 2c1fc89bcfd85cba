"""HDTF (Zhang et al., CVPR 2021): political speeches from the web, published as lists of addresses, times and crops.

    ROOT/**/HDTF_dataset/RD_video_url.txt          "NAME ADDRESS"; likewise WDA_ and WRA_
                         RD_annotion_time.txt      "NAME.mp4 00:20-01:35 ..." (the published spelling)
                         RD_crop_wh.txt            "NAME_0.mp4 left width top height"
    ROOT/**/NAME_0.mp4                             clip 0 of video NAME, cut and cropped, as the authors name it
    ROOT/**/RD_NAME_000.mp4                        the same, as the widely used download script names it

The lists need not be there; with them every clip's address is kept, and clips that they do not know are left out.
No split was published.
"""

import re
from pathlib import Path

from declaim.data.converters.labels import LabelRow, videos

LICENCE = "CC BY 4.0"
SUBSETS = ("RD", "WDA", "WRA")
"""Radio addresses, Democratic and Republican weekly addresses."""
_CLIP = re.compile(r"(?:(?P<subset>RD|WDA|WRA)_)?(?P<video>.+)_(?P<index>\d{1,3})")
_SAME = {"WhipJimClyburn": "JamesClyburn"}
"""Names of videos that show somebody known under another name."""
_TRAIN = frozenset({"Radio", "BarackObama"})
"""Who speaks in RadioN.mp4 was not published; several of them may be one person, and one who is named elsewhere.
They count as one speaker, on the side where that does no harm."""


def hdtf_labels(root: Path) -> list[LabelRow]:
    """Labels of the clips below ``root``.

    Raises:
        ConfigError: no such folder.
    """
    addresses = _addresses(root)
    rows = []
    for path in videos(root):
        match = _CLIP.fullmatch(path.stem)
        if match is None or (addresses and match["video"] not in addresses):
            continue
        person = match["video"].rstrip("0123456789")
        person = _SAME.get(person, person)
        rows.append(
            LabelRow(
                path=path,
                speaker=f"hdtf-{person}",
                split="train" if person in _TRAIN else "",
                language="en",
                licence=LICENCE,
                source=addresses.get(match["video"], f"HDTF, {match['video']}, clip {int(match['index'])}"),
            )
        )
    return rows


def _addresses(root: Path) -> dict[str, str]:
    """Address of every listed video."""
    found = {}
    for subset in SUBSETS:
        for path in sorted(Path(root).rglob(f"{subset}_video_url.txt")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                name, _, address = line.strip().partition(" ")
                if address:
                    found[name.removesuffix(".mp4")] = address.strip()
    return found
