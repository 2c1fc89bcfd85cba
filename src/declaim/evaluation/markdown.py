"""Reports as Markdown: the tables of report.md, of the documentation, and of the README."""

from collections.abc import Iterable, Sequence
from typing import Any

from declaim.errors import ConfigError
from declaim.evaluation.judging.actors import MEAN_FACE, OTHER_SPEECH, PEOPLE, REDRAWN, STILL

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
"""Between these two lines of the README stands the generated table."""

Json = dict[str, Any]
_NONE = "-"
FEW = 2
"""Methods up to which the README's table has room for intervals."""
REENACTMENT = "re-enactment"
"""Group of the metrics of tracked motion drawn again."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    texts = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([texts[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *texts[1:]])


def shown(measure: Json, figure: Json | None, *, interval: bool = False) -> str:
    """A figure in words: value, and its interval where wanted."""
    if figure is None or figure.get("value") is None:
        return _NONE
    value = number(measure, figure["value"])
    if interval and "low" in figure:
        return f"{value} ({number(measure, figure['low'])} to {number(measure, figure['high'])})"
    return value


def number(measure: Json, value: float | None) -> str:
    """A number with the measure's digits."""
    if value is None:
        return _NONE
    text = f"{value:.{measure['digits']}f}"
    return text.lstrip("-") if float(text) == 0 else text


def title(measure: Json) -> str:
    """A measure's name with unit and the way that is better."""
    arrow = {"high": " ↑", "low": " ↓", "people": " ≈", "one": " → 1", "zero": " → 0"}.get(measure["better"], "")
    unit = f", {measure['unit']}" if "unit" in measure else ""
    return f"{measure['title']}{unit}{arrow}"


def best(measure: Json, rows: Sequence[Json], people: Json) -> set[str]:
    """Keys of the rows whose figure is the best of those compared; none where nothing can be best or all are equal."""
    values = {r["key"]: f["value"] for r in rows if (f := r["figures"].get(measure["key"])) and f["value"] is not None}
    own = people["figures"].get(measure["key"], {}).get("value")
    aim = {"one": 1.0, "zero": 0.0, "people": own}.get(measure["better"])
    if len(values) < 2 or measure["better"] == "none" or (measure["better"] == "people" and own is None):
        return set()
    if measure["better"] in ("high", "low"):
        ends = max if measure["better"] == "high" else min
        wanted = ends(values.values())
        found = {k for k, v in values.items() if v == wanted}
    else:
        least = min(abs(v - aim) for v in values.values() if aim is not None)
        found = {k for k, v in values.items() if aim is not None and abs(v - aim) == least}
    return found if len(found) < len(values) else set()


def where(measure: Json) -> str:
    """Which pictures a picture metric is about; empty for others."""
    return f" ({measure['group']})" if measure["group"] in ("re-enactment", "generated pictures") else ""


def groups(report: Json) -> dict[str, list[Json]]:
    """The report's measures by table."""
    found: dict[str, list[Json]] = {}
    for measure in report["measures"]:
        found.setdefault(measure["group"], []).append(measure)
    return found


def summary(report: Json) -> str:
    """Lines are measures, columns rows: the main figures with their intervals, best of the methods and stills bold."""
    people = _people(report)
    columns = [row for row in report["rows"] if row["key"] != PEOPLE]
    lines = []
    for measure in report["measures"]:
        if not measure.get("main"):
            continue
        marked = best(measure, [r for r in columns if not is_stranger(r)], people)
        cells = []
        for row in [people, *columns]:
            cell = shown(measure, row["figures"].get(measure["key"]), interval=row["kind"] == "method")
            cells.append(f"**{cell}**" if row["key"] in marked else cell)
        lines.append((title(measure) + where(measure), *cells, measure.get("network", "")))
    return table(("metric", *(r["title"] for r in [people, *columns]), "seen through"), lines)


def full(report: Json) -> str:
    """report.md: verdict, every table, per-speaker and per-language breakdown, definitions."""
    p = report["protocol"]
    parts = [
        "# Evaluation",
        "\n\n".join(report["verdict"]),
        f"Protocol {p['version']}-{p['fingerprint']}: split `{p['split']}`, {p['clips']} clips, {p['speakers']} "
        f"speakers, {p['seconds']:.0f} s, seeds {', '.join(map(str, p['seeds']))}. Every speaker has one vote; "
        "intervals are 95 % bootstrap over speakers. Arrows: ↑ more is better, ↓ less is better, ≈ near to real "
        "people is better.",
    ]
    people = _people(report)
    for group, chosen in groups(report).items():
        parts += [f"## {group.capitalize()}", _group_table(report, chosen, people)]
    parts += ["## Single seeds", _seeds(report)]
    for name, key in (
        ("Languages", "by_language"),
        ("GRID and other footage", "by_footage"),
        ("Speakers", "by_speaker"),
    ):
        parts += [f"## {name}", *_breakdown(report, key)]
    parts += ["## Rows", "\n".join(f"- **{r['title']}**: {r['meaning']}" for r in report["rows"])]
    parts += ["## Definitions", "\n".join(_definition(m) for m in report["measures"])]
    parts += ["## Made with", _made_with(report["made_with"])]
    return "\n\n".join(parts) + "\n"


def readme_table(report: Json) -> str:
    """The README's tables: the methods' main figures beside floors and people; and what the renderer costs.

    Intervals are left to the results page where more than two methods make the table wide.
    """
    by_key = {row["key"]: row for row in report["rows"]}
    methods = [row for row in report["rows"] if row["kind"] == "method"]
    floors = [by_key[key] for row in methods[:1] if (key := row["key"] + OTHER_SPEECH) in by_key]
    stills = [by_key[key] for key in (STILL,) if key in by_key]
    rest, people = [by_key[key] for key in (MEAN_FACE,) if key in by_key], by_key[PEOPLE]
    main = [m for m in report["measures"] if m.get("main")]
    drawn = [m for m in main if m["group"] == REENACTMENT]
    spoken = [m for m in main if m["group"] != REENACTMENT]
    few = len(methods) <= FEW
    columns = [*methods, *floors, *rest, *(stills if few else ()), people]
    marks = {m["key"]: {row["key"] for row in methods} if few else best(m, methods, people) for m in spoken}
    parts = [_main_table(spoken, columns, marks, methods if few else ())]
    if REDRAWN in by_key and drawn:
        own = [by_key[REDRAWN]]
        parts.append(_main_table(drawn, [*own, *stills, people], {m["key"]: {REDRAWN} for m in drawn}, own))
    p = report["protocol"]
    about = "in brackets 95 % intervals over speakers" if few else "bold: the best method; intervals: docs/results.md"
    parts.append(
        f"*{p['clips']} clips of {p['speakers']} unseen people, seeds {', '.join(map(str, p['seeds']))}; {about}; "
        f"protocol {p['version']}-{p['fingerprint']}.*"
    )
    return "\n\n".join(parts)


def _main_table(
    chosen: Sequence[Json], columns: Sequence[Json], marks: dict[str, set[str]], intervals: Sequence[Json]
) -> str:
    """Lines are measures; ``marks`` names the bold rows of each, ``intervals`` are shown in those rows."""
    lines = []
    for measure in chosen:
        cells = []
        for row in columns:
            cell = shown(measure, row["figures"].get(measure["key"]), interval=row in intervals)
            value, space, rest = cell.partition(" ")
            bold = row["key"] in marks[measure["key"]] and cell != _NONE
            cells.append(f"**{value}**{space}{rest}" if bold else cell)
        seen = f" ({measure['network']})" if "network" in measure else ""
        lines.append((f"{title(measure)}{where(measure)}{seen}", *cells))
    return table(("", *(row["title"] for row in columns)), lines)


def with_table(text: str, report: Json) -> str:
    """A README with the generated table between its two markers.

    Raises:
        ConfigError: it lacks the markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"this file has no lines {BEGIN} and {END}; put them where the table belongs")
    return f"{before}{BEGIN}\n{readme_table(report)}\n{END}{after}"


def _people(report: Json) -> Json:
    return next(row for row in report["rows"] if row["key"] == PEOPLE)


def is_stranger(row: Json) -> bool:
    """Whether a row is a floor made with another clip's speech."""
    return bool(row["key"].endswith("-other-speech"))


def _group_table(report: Json, chosen: Sequence[Json], people: Json) -> str:
    columns = [m for m in chosen if any(m["key"] in row["figures"] for row in report["rows"])]
    compared = [r for r in report["rows"] if r["key"] != PEOPLE and not is_stranger(r)]
    marks = {m["key"]: best(m, compared, people) for m in columns}
    header = ("", *(title(m) + (f" ({m['network']})" if "network" in m else "") for m in columns))
    lines = []
    for row in report["rows"]:
        cells = [shown(m, row["figures"].get(m["key"]), interval=True) for m in columns]
        cells = [f"**{c}**" if row["key"] in marks[m["key"]] else c for c, m in zip(cells, columns, strict=True)]
        if any(m["key"].endswith("_fid") for m in columns):
            m = next(m for m in columns if m["key"].endswith("_fid"))
            count = row["figures"].get(m["key"], {}).get("clips")
            cells[columns.index(m)] += f" n={count}" if count else ""
        if any(c != _NONE for c in cells):
            lines.append((row["title"], *cells))
    return table(header, lines)


def _seeds(report: Json) -> str:
    seeds = report["protocol"]["seeds"]
    lines = []
    for row in report["rows"]:
        for m in report["measures"]:
            found = row["figures"].get(m["key"], {}).get("seeds")
            if row["kind"] == "method" and found and m.get("main"):
                lines.append((row["title"], title(m), *(number(m, v) for v in found)))
    return table(("row", "metric", *(f"seed {s}" for s in seeds)), lines) if lines else "One seed only."


def _breakdown(report: Json, key: str) -> list[str]:
    shown_keys = [m for m in report["measures"] if m.get("main") or m["key"] in ("sync_offset", "mouth_lag")]
    people, found = _people(report), []
    for row in report["rows"]:
        if row["kind"] != "method":
            continue
        columns = [m for m in shown_keys if key in row["figures"].get(m["key"], {})]
        names = sorted({name for m in columns for name in row["figures"][m["key"]][key]})
        lines = []
        for name in names:
            cells = []
            for m in columns:
                own = number(m, row["figures"][m["key"]][key].get(name))
                true = people["figures"].get(m["key"], {}).get(key, {}).get(name)
                beside = (
                    f" / {number(m, true)}" if true is not None and m["better"] in ("people", "high", "low") else ""
                )
                cells.append(own + (beside if own != _NONE else ""))
            lines.append((name, *cells))
        found += [f"{row['title']} / real people:", table(("", *(title(m) for m in columns)), lines)]
    return found


def _definition(measure: Json) -> str:
    through = f" Seen through {measure['network']}." if "network" in measure else ""
    words = {
        "low": "at least {:g}",
        "high": "at most {:g}",
        "low_of_people": "at least {:g} of people's",
        "high_of_people": "at most {:g} of people's",
        "off_people": "within {:g} of people's",
        "high_of_mean_face": "at most {:g} of the mean face's",
    }
    wanted = [text.format(measure[key]) for key, text in words.items() if key in measure]
    target = f" Target: {' and '.join(wanted)}." if wanted else ""
    return f"- **{measure['title']}**{where(measure)}: {measure['definition']}{through}{target}"


def _made_with(made: Json) -> str:
    code = made["code"]
    lines = [f"- declaim {code['declaim']}" + (f", commit `{code['commit']}`" if code.get("commit") else "")]
    for kind in ("weights", "assets"):
        for name, hashes in made[kind].items():
            lines += [f"- {kind[:-1] if kind == 'assets' else kind} {name}: "
                      + ", ".join(f"{file} `{sha[:16]}…`" for file, sha in hashes.items())]  # fmt: skip
    return "\n".join(lines)
