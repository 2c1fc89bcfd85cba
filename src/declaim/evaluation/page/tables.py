"""The tables of report.html."""

from collections.abc import Sequence
from html import escape
from typing import Any

from declaim.evaluation.judging.actors import PEOPLE
from declaim.evaluation.markdown import best, is_stranger, number, title, where

Json = dict[str, Any]
BEST = ' class="best"'


def group_table(report: Json, name: str, chosen: Sequence[Json]) -> str:
    """The table of one group of metrics: a line for every row of the evaluation."""
    columns = [m for m in chosen if any(m["key"] in row["figures"] for row in report["rows"])]
    if not columns:
        return ""
    people = next(row for row in report["rows"] if row["key"] == PEOPLE)
    compared = [row for row in report["rows"] if row["key"] != PEOPLE and not is_stranger(row)]
    marks = {m["key"]: best(m, compared, people) for m in columns}
    lines = []
    for row in report["rows"]:
        if not any(m["key"] in row["figures"] for m in columns):
            continue
        cells = "".join(_cell(m, row["figures"].get(m["key"]), row["key"] in marks[m["key"]]) for m in columns)
        lines.append(
            f'<tr class="{row["kind"]}"><td><span class="tip" title="{escape(row["meaning"])}">{escape(row["title"])}'
            f"</span></td>{cells}</tr>"
        )
    heads = "".join(_head(m) for m in columns)
    return (
        f"<section><h2>{escape(name.capitalize())}</h2>"
        f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def breakdowns(report: Json) -> str:
    """By language, by kind of footage, by speaker and by seed: one folded table for every method and cut."""
    people, found = next(row for row in report["rows"] if row["key"] == PEOPLE), []
    for row in report["rows"]:
        if row["kind"] != "method":
            continue
        for words, key in (("language", "by_language"), ("kind of footage", "by_footage"), ("speaker", "by_speaker")):
            found.append(_breakdown(report, row, people, words, key))
        found.append(_seeds(report, row))
    content = "".join(found)
    note = "Generated, with real people's own number small below it."
    return f'<section><h2>Breakdown</h2><p class="note">{note}</p>{content}</section>' if content else ""


def definitions(report: Json) -> str:
    """Every metric and every row, explained."""
    items = []
    for m in report["measures"]:
        through = f" Seen through {m['network']}." if "network" in m else ""
        items.append(f"<dt>{escape(m['title'] + where(m))}</dt><dd>{escape(m['definition'] + through)}</dd>")
    items += [f"<dt>{escape(r['title'])}</dt><dd>{escape(r['meaning'])}</dd>" for r in report["rows"]]
    return f"<section><h2>Definitions</h2><dl>{''.join(items)}</dl></section>"


def _breakdown(report: Json, row: Json, people: Json, words: str, key: str) -> str:
    columns = [m for m in report["measures"] if m.get("main") and key in row["figures"].get(m["key"], {})]
    names = sorted({name for m in columns for name in row["figures"][m["key"]][key]})
    if not names or (key == "by_language" and names == ["unknown"]):
        return ""
    lines = []
    for name in names:
        cells = []
        for m in columns:
            own = number(m, row["figures"][m["key"]][key].get(name))
            true = people["figures"].get(m["key"], {}).get(key, {}).get(name)
            beside = "" if true is None or m["better"] in ("one", "zero") else f"<small>{number(m, true)}</small>"
            cells.append(f"<td>{own}{beside}</td>")
        lines.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return _folded(f"{row['title']} by {words}", "".join(_head(m) for m in columns), "".join(lines))


def _seeds(report: Json, row: Json) -> str:
    columns = [m for m in report["measures"] if m.get("main") and "seeds" in row["figures"].get(m["key"], {})]
    seeds = report["protocol"]["seeds"]
    if not columns:
        return ""
    lines = [
        f"<tr><td>seed {seed}</td>"
        + "".join(f"<td>{number(m, row['figures'][m['key']]['seeds'][i])}</td>" for m in columns)
        + "</tr>"
        for i, seed in enumerate(seeds)
    ]
    return _folded(f"{row['title']} by seed", "".join(_head(m) for m in columns), "".join(lines))


def _folded(name: str, heads: str, lines: str) -> str:
    return (
        f'<details><summary>{escape(name)}</summary><div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></details>"
    )


def _head(measure: Json) -> str:
    net = f'<span class="net">{escape(measure["network"])}</span>' if "network" in measure else ""
    return f'<th title="{escape(measure["definition"])}">{escape(title(measure))}{net}</th>'


def _cell(measure: Json, figure: Json | None, is_best: bool) -> str:
    if figure is None or figure.get("value") is None:
        return "<td>-</td>"
    below = (
        f"<small>{number(measure, figure['low'])} to {number(measure, figure['high'])}</small>"
        if "low" in figure
        else ""
    )
    if measure["key"].endswith("_fid"):
        below = f"<small>{figure['clips']} pictures</small>"
    return f"<td{BEST if is_best else ''}>{number(measure, figure['value'])}{below}</td>"
