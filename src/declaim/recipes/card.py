"""The part of a model card that every recipe shares: how, from what and how well."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from declaim.data.corpus import ClipRecord
from declaim.timebase import FPS

CURVES = "curves.png"
"""A picture of the curves, written beside the card where matplotlib is installed."""


def card_text(
    *,
    command: str,
    corpus: Path,
    clips: Sequence[ClipRecord],
    seconds: float,
    figures: Mapping[str, float],
    hardware: str,
    seed: int | None = None,
) -> str:
    """How weights were made (Markdown).

    Args:
        command: the command line.
        corpus: its folder; only the last part of the name is shown.
        clips: what they learnt from.
        seconds: time taken.
        figures: on held-out clips.
        hardware: the machine in words.
        seed: of the run.
    """
    made = "" if seed is None else f", seed {seed}"
    lines = [
        f"- Made by `{command}`{made}.",
        f"- declaim {version('declaim')}, torch {torch.__version__}; {_duration(seconds)} on {hardware}.",
        f"- Data: {_amount(clips)} of the corpus `{corpus.resolve().name}`:",
        "",
        data_table(clips),
    ]
    if figures:
        lines += ["", "Figures on held-out clips:", "", "| figure | value |", "|---|---|"]
        lines += [f"| {name} | {value:.4g} |" for name, value in figures.items()]
    return "\n".join(lines) + "\n"


def data_table(clips: Sequence[ClipRecord]) -> str:
    """Licences or origins with speakers, clips and minutes (Markdown)."""
    groups: dict[str, list[ClipRecord]] = defaultdict(list)
    for clip in clips:
        groups[clip.licence or "licence not recorded"].append(clip)
    rows = sorted(groups.items(), key=lambda item: -len({clip.speaker for clip in item[1]}))
    lines = ["| licence or origin | speakers | clips | minutes |", "|---|---|---|---|"]
    for licence, group in rows:
        speakers = len({clip.speaker for clip in group})
        lines.append(f"| {licence.replace('|', '/')} | {speakers} | {len(group)} | {_minutes(group):.1f} |")
    return "\n".join(lines)


def _minutes(clips: Sequence[ClipRecord]) -> float:
    return sum(clip.frames for clip in clips) / float(FPS) / 60.0


def _amount(clips: Sequence[ClipRecord]) -> str:
    return f"{len({clip.speaker for clip in clips})} speakers, {len(clips)} clips, {_minutes(clips):.1f} minutes"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
