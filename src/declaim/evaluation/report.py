"""The report as plain data: what every table, page and picture is made from. It holds nothing of the machine.

protocol, made_with (code, weights, assets, networks), measures, rows -> figures, verdict, plots
"""

import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from declaim import __version__
from declaim.assets import ASSETS, shipped
from declaim.evaluation.figures import Figure, Record, figure, rounded
from declaim.evaluation.judging.actors import PEOPLE, Actor, Row, Styled, renderer_row, standing_rows, weight_hashes
from declaim.evaluation.judging.playing import Made
from declaim.evaluation.measures import Measure, measures
from declaim.evaluation.protocol import EvaluationProtocol
from declaim.evaluation.verdict import Beside, is_met, verdict

REPORT_VERSION = 1
"""Version of report.json."""


def build_report(
    *,
    protocol: EvaluationProtocol,
    actors: Sequence[Actor],
    records: Sequence[Record],
    made: Sequence[Made],
    sets: dict[str, dict[str, Figure]],
    made_with: dict[str, Any],
) -> dict[str, Any]:
    """The report of finished scores.

    Args:
        protocol: what was measured.
        actors: the methods.
        records: all scores.
        made: curves and histograms of every clip.
        sets: by row and measure, figures of whole sets of pictures or of waits (FID, intervals).
        made_with: from `provenance`.
    """
    drawn = [renderer_row(made_with["renderer"])] if protocol.pictures is not None else []
    rows = [*standing_rows(), *drawn, *(row for actor in actors for row in actor.rows)]
    chosen = measures(pictures=protocol.pictures is not None)
    figures = {row.key: _figures(row, chosen, records, sets.get(row.key, {})) for row in rows}
    used = [m for m in chosen if any(figures[row.key][m.key].value is not None for row in rows)]
    return {
        "kind": "evaluation",
        "format_version": REPORT_VERSION,
        "protocol": {
            "version": protocol.version,
            "fingerprint": protocol.fingerprint,
            "split": protocol.split,
            "seeds": list(protocol.seeds),
            "clips": len(protocol.clips),
            "speakers": len(protocol.speakers),
            "seconds": round(protocol.seconds, 1),
            "frames_per_clip": None if protocol.pictures is None else protocol.pictures.frames,
        },
        "made_with": made_with,
        "verdict": [verdict(row, rows, figures, chosen) for row in rows if row.kind == "method"],
        "targets": {row.key: _targets(figures, row, used) for row in rows if row.kind == "method"},
        "measures": [_as_json(m) for m in used],
        "rows": [
            asdict(row)
            | {"figures": {m.key: f.as_json() for m in used if (f := figures[row.key][m.key]).value is not None}}
            for row in rows
        ],
        "plots": rounded(_plots(rows, made)),
    }  # fmt: skip


def _figures(
    row: Row, chosen: Sequence[Measure], records: Sequence[Record], sets: dict[str, Figure]
) -> dict[str, Figure]:
    own = [record for record in records if record.row == row.key]
    return {m.key: sets[m.key] if m.key in sets else figure(m, own) for m in chosen}


def _targets(figures: dict[str, dict[str, Figure]], row: Row, used: Sequence[Measure]) -> dict[str, bool]:
    """Whether a method meets each of the targets that there are."""
    met = {m.key: is_met(m, figures[row.key][m.key], Beside.of(figures, m.key)) for m in used}
    return {key: value for key, value in met.items() if value is not None}


def _as_json(measure: Measure) -> dict[str, Any]:
    return {k: v for k, v in asdict(measure).items() if v not in (None, "", False)} | {"digits": measure.digits}


def _plots(rows: Sequence[Row], made: Sequence[Made]) -> dict[str, Any]:
    """Offset curves averaged over clips, histograms summed over clips."""
    curves = {row.key: [c for clip in made for c in clip["curves"].get(row.key, [])] for row in rows}
    means = {k: [sum(v) / len(c) for v in zip(*c, strict=True)] for k, c in curves.items() if c}
    plots: dict[str, Any] = {"offset_curves": means}
    for name in ("head_speed", "beat_distance"):
        counts = {row.key: [h[name] for clip in made for h in clip["histograms"].get(row.key, [])] for row in rows}
        plots[name] = {k: [sum(v) for v in zip(*found, strict=True)] for k, found in counts.items() if found}
    return plots


def provenance(
    actors: Sequence[Actor], expert: dict[str, str], assets: Sequence[str], pictures: bool, renderer: str
) -> dict[str, Any]:
    """Code, weights and pretrained parts that the numbers depend on, by hash.

    Args:
        actors: the methods.
        expert: hashes of the sync expert.
        assets: names of the fetched assets that took part.
        pictures: whether pictures were judged.
        renderer: what drew them.
    """
    return {
        "code": {"declaim": __version__, "commit": commit()},
        "weights": {
            **{actor.name: actor.hashes for actor in actors if not isinstance(actor, Styled)},
            **{name: weight_hashes(shipped(name)) for name in ("face-model", "head3d")},
            **({"sync-expert": expert} if expert else {}),
        },
        "assets": {name: {f.name: f.sha256 for f in ASSETS[name].files} for name in sorted(assets)},
        "renderer": renderer if pictures else None,
    }


def commit() -> str | None:
    """The commit of the source code, with ``+`` where files differ from it; None outside a repository."""
    folder = Path(__file__).parent
    try:
        head, changed = (
            subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=True, timeout=20).stdout
            for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--", ".."])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.strip() + ("+" if changed.strip() else "")


def row_of(report: dict[str, Any], key: str) -> dict[str, Any]:
    """One row of a report."""
    return next(row for row in report["rows"] if row["key"] == key)


def people_of(report: dict[str, Any]) -> dict[str, Any]:
    """The row of real people."""
    return row_of(report, PEOPLE)


def compact(report: dict[str, Any]) -> dict[str, Any]:
    """The report without plots, and without single speakers but for the methods' and people's: small enough to keep."""

    def bare(row: dict[str, Any]) -> dict[str, Any]:
        figures = {k: {n: v for n, v in f.items() if not n.startswith("by_")} for k, f in row["figures"].items()}
        return row | {"figures": figures}

    rows = [bare(row) if row["kind"] == "floor" else row for row in report["rows"]]
    return {key: value for key, value in report.items() if key != "plots"} | {"rows": rows}
