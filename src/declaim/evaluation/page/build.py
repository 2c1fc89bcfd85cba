"""report.html: verdict, key figures, tables, plots, clips, breakdowns and definitions in one file without a network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from declaim.evaluation.judging.actors import OTHER_SPEECH, PEOPLE
from declaim.evaluation.markdown import groups, number, title
from declaim.evaluation.page.plots import all_plots
from declaim.evaluation.page.samples import Sample
from declaim.evaluation.page.tables import breakdowns, definitions, group_table

Json = dict[str, Any]
_STYLE = Path(__file__).with_name("style.css")


def build_page(report: Json, samples: Sequence[Sample], videos: Sequence[tuple[str, str]] = ()) -> str:
    """The page.

    Args:
        report: as in report.json.
        samples: clips whose curves are drawn.
        videos: (caption, data address) of side-by-side clips.
    """
    body = [
        _head(report),
        *(_tiles(report, row) for row in report["rows"] if row["kind"] == "method"),
        _clips(videos),
        *(group_table(report, name, chosen) for name, chosen in groups(report).items()),
        all_plots(report, samples),
        breakdowns(report),
        definitions(report),
        _foot(report),
    ]
    style = _STYLE.read_text(encoding="utf-8")
    names = ", ".join(row["title"] for row in report["rows"] if row["kind"] == "method")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation of {escape(names)}</title>\n<style>\n{style}</style></head>\n"
        f"<body><main>\n{chr(10).join(part for part in body if part)}\n</main></body></html>\n"
    )


def _head(report: Json) -> str:
    p = report["protocol"]
    seeds = ", ".join(map(str, p["seeds"]))
    sentences = "".join(f'<p class="verdict">{escape(text)}</p>' for text in report["verdict"])
    return (
        f"<header><h1>Evaluation</h1>{sentences}"
        f'<p class="meta">Protocol <code>{p["version"]}-{p["fingerprint"]}</code> · split '
        f"<code>{escape(p['split'])}</code> · {p['clips']} clips · {p['speakers']} speakers · {p['seconds']:.0f} s · "
        f"seeds {seeds}. Every speaker has one vote; small numbers are 95 % bootstrap intervals over speakers. Point "
        "at a column's name for its definition.</p>"
        "</header>"
    )


def _tiles(report: Json, row: Json) -> str:
    """The method's main figures as cards, with people's and the floor's beside and whether the target is met."""
    people = next(r for r in report["rows"] if r["key"] == PEOPLE)
    floor = next((r for r in report["rows"] if r["key"] == row["key"] + OTHER_SPEECH), None)
    cards = []
    for measure in report["measures"]:
        own = row["figures"].get(measure["key"])
        if not measure.get("main") or own is None:
            continue
        beside = [("people", people), ("another's speech", floor)]
        words = [
            f"{name} {number(measure, r['figures'][measure['key']]['value'])}"
            for name, r in beside
            if r is not None and measure["key"] in r["figures"] and (measure["better"] != "one" or name != "people")
        ]
        if "low" in own:
            words.insert(0, f"{number(measure, own['low'])} to {number(measure, own['high'])}")
        met = report["targets"].get(row["key"], {}).get(measure["key"])
        mark = (
            ""
            if met is None
            else f'<span class="mark {"met" if met else "missed"}">{"✓ met" if met else "✗ missed"}</span>'
        )
        cards.append(
            f'<div class="tile" title="{escape(measure["definition"])}">{mark}<small>{escape(title(measure))}</small>'
            f"<b>{number(measure, own['value'])}</b><small>{escape(' · '.join(words))}</small></div>"
        )
    return f'<h2>{escape(row["title"])}</h2><div class="tiles">{"".join(cards)}</div>' if cards else ""


def _clips(videos: Sequence[tuple[str, str]]) -> str:
    if not videos:
        return ""
    drawn = []
    for caption, address in videos:
        speaker, _, columns = caption.partition(": ")
        spans = "".join(f"<span>{escape(column)}</span>" for column in columns.split(" | "))
        drawn.append(
            f'<figure><figcaption>{escape(speaker)}</figcaption><video controls loop playsinline preload="metadata" '
            f'src="{address}"></video><div class="columns">{spans}</div></figure>'
        )
    note = "Generated frames are synthetic. The portrait is the clip's first frame; sound is the clip's own."
    return f'<section><h2>Clips</h2><p class="note">{note}</p><div class="clips">{"".join(drawn)}</div></section>'


def _foot(report: Json) -> str:
    made = report["made_with"]
    code = made["code"]
    hashes = [
        f"{name}: {file} {sha[:16]}"
        for kind in ("weights", "assets")
        for name, files in made[kind].items()
        for file, sha in files.items()
    ]
    commit = f", commit {code['commit']}" if code.get("commit") else ""
    return f"<footer>declaim {escape(code['declaim'])}{escape(commit)} · {escape(' · '.join(hashes))}</footer>"
