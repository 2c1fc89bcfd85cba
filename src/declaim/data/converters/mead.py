"""MEAD (Wang et al., ECCV 2020): actors who speak with eight emotions at three intensities, filmed from seven sides.

    ROOT/**/M003/video/front/angry/level_1/001.mp4     actor (M or W and a number), view, emotion, intensity, sentence
    ROOT/**/M003/audio/angry/level_1/001.m4a           the same sound apart; not needed

No split was published. A few videos carry no sound; they are prepared without, and not used for training.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from declaim.data.converters.labels import LabelRow, videos
from declaim.errors import ConfigError

LICENCE = "MEAD terms of use (research, non-commercial)"
VIEWS = ("front", "down", "top", "left_30", "left_60", "right_30", "right_60")
_ACTOR = re.compile(r"(?P<actor>[MW]\d{3})(?:_.*)?")
_LEVEL = re.compile(r"level_(\d)")


def mead_labels(root: Path, views: Sequence[str] = ("front",)) -> list[LabelRow]:
    """Labels of the videos below ``root`` that were filmed from ``views``.

    Raises:
        ConfigError: no such folder; an unknown view.
    """
    if unknown := [view for view in views if view not in VIEWS]:
        raise ConfigError(f"MEAD has no view {unknown[0]!r}; it has {', '.join(VIEWS)}")
    rows = []
    for path in videos(root):
        if len(path.parts) < 6:
            continue
        view, emotion, level = path.parts[-4:-1]
        intensity = _LEVEL.fullmatch(level)
        actor = next((m["actor"] for part in path.parts[-5::-1] if (m := _ACTOR.fullmatch(part))), None)
        if view in views and intensity and actor:
            what = f"MEAD, {emotion}, level {intensity[1]}, {view}"
            rows.append(LabelRow(path, f"mead-{actor}", "", "en", LICENCE, what))
    return rows
