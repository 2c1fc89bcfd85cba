"""What is plotted: single clips beside the truth, poses of several takes, beats, offsets, amplitudes, speed."""

from collections.abc import Sequence
from html import escape
from typing import Any

from declaim.evaluation.judging.actors import OTHER_SPEECH, PEOPLE, STRANGERS
from declaim.evaluation.judging.scores import BEAT_BINS_S, SPEED_BINS_DEG_S
from declaim.evaluation.page.samples import Course, Sample
from declaim.plots.svg import Number, Plot, legend, span

Json = dict[str, Any]
NOD, TURN = 0, 1
"""Columns of the head's rotation."""


def all_plots(report: Json, samples: Sequence[Sample]) -> str:
    """Every plot of the page, as sections."""
    methods = [row for row in report["rows"] if row["kind"] == "method"]
    parts = []
    for row in methods:
        name = "" if len(methods) == 1 else f": {escape(row['title'])}"
        parts += [
            _section(f"Single clips beside the truth{name}", CLIPS_NOTE, courses(samples, row["key"])),
            _section(f"Poses of several takes{name}", POSE_NOTE, poses(samples, row["key"])),
        ]
    parts.append(_section("Together", "", f'<div class="plots">{offsets(report)}{beats(report)}{speeds(report)}</div>'))
    drawn = "".join(amplitudes(report, row) for row in methods)
    parts.append(_section("Speaker by speaker", SPEAKER_NOTE, f'<div class="plots">{drawn}</div>'))
    return "".join(parts)


CLIPS_NOTE = (
    "Ink: tracked truth. Colours: takes (seeds). Grey strip: speech. Shaded: p, b and m, where the lips should close. "
    "Lips should follow the truth and hardly differ between takes; heads are each take's own."
)
POSE_NOTE = (
    "Every dot is the head's pose in one frame, around the clip's mean: the truth in ink, each take in a colour."
)
SPEAKER_NOTE = (
    "A dot for every speaker. On the line, generated motion moves as much as this person does; below it, less. A "
    "method that knows no style cannot know whose head it moves."
)


def courses(samples: Sequence[Sample], row: str) -> str:
    """Mouth opening and head turn over time, one pair of plots for every clip."""
    pairs = []
    for sample in samples:
        takes = sample.takes.get(row, [])
        mouth = _course(sample, takes, [c.opening.tolist() for c in (sample.truth, *takes)], "mouth opening, cm")
        turns = [c.turns[:, TURN].tolist() for c in (sample.truth, *takes)]
        head = _course(sample, takes, turns, "head turn, degrees", least=6.0)
        pairs.append(f'<figure class="pair"><figcaption>{escape(sample.speaker)}</figcaption>{mouth}{head}</figure>')
    return _takes_legend(samples, row) + "".join(pairs)


def _course(
    sample: Sample, takes: Sequence[Course], curves: Sequence[Sequence[Number]], words: str, least: Number = 0.5
) -> str:
    seconds = max(len(curves[0]), 2) / 25
    plot = Plot((0, seconds), span(*curves, least=least), 640, 170, "seconds", words, f"{words} of {sample.name}")
    for a, b in sample.spans:
        plot.band(a / 25, b / 25, "lips")
    for a, b in sample.speaking:
        plot.strip(a / 25, b / 25, "speech")
    for k, curve in reversed(list(enumerate(curves))):
        style = "truth" if k == 0 else f"take take{(k - 1) % 3 + 1}"
        plot.line([i / 25 for i in range(len(curve))], curve, style, "truth" if k == 0 else f"take {k}")
    return plot.svg()


def poses(samples: Sequence[Sample], row: str) -> str:
    """Head turn against nod, one small plot for every clip."""
    drawn = []
    for sample in samples:
        takes = sample.takes.get(row, [])
        every = [sample.truth, *takes]
        x = span(*[c.turns[:, TURN].tolist() for c in every], least=12.0)
        y = span(*[c.turns[:, NOD].tolist() for c in every], least=12.0)
        plot = Plot(x, y, 300, 240, "turn, degrees", "nod, degrees", f"poses of {sample.name}")
        for k, course in reversed(list(enumerate(every))):
            style = "truth" if k == 0 else f"take{(k - 1) % 3 + 1}"
            plot.dots(course.turns[::2, TURN].tolist(), course.turns[::2, NOD].tolist(), style, 1.7)
        drawn.append(f"<figure><figcaption>{escape(sample.speaker)}</figcaption>{plot.svg()}</figure>")
    return f'<div class="plots small">{"".join(drawn)}</div>'


def offsets(report: Json) -> str:
    """Mean distance of speech and lips against the offset, of every row."""
    curves = report["plots"].get("offset_curves", {})
    shown = _shown(report, curves, strangers=True)
    if not shown:
        return ""
    plot = Plot((-15, 15), span(*[curves[k] for k, _, _ in shown]), x_label="frames by which the mouth is late",
                y_label="distance", label="sync offset curves")  # fmt: skip
    plot.rule(x=0)
    for key, title, style in shown:
        plot.line(range(-15, 16), curves[key], style, title)
    note = "Least at 0: in sync. A flat curve: the mouth has nothing to do with the sound. Sync expert: declaim's own."
    return _figure("Offset curves", plot.svg(), shown, note)


def beats(report: Json) -> str:
    """Distances of syllable onsets to the nearest pause of the head's motion."""
    return _histogram(
        report, "beat_distance", BEAT_BINS_S.tolist(), title="Beats",
        words="seconds from a syllable onset to a motion beat",
        note="How far the head's next moment of rest is from each syllable onset. Near to people's curve is right.",
    )  # fmt: skip


def speeds(report: Json) -> str:
    """Distribution of the head's speed."""
    return _histogram(
        report, "head_speed", SPEED_BINS_DEG_S.tolist(), title="Head speed", words="degrees a second",
        note="Share of frames. People are often nearly still and sometimes fast.",
    )  # fmt: skip


def _histogram(report: Json, name: str, borders: Sequence[Number], *, title: str, words: str, note: str) -> str:
    counts = report["plots"].get(name, {})
    shown = [entry for entry in _shown(report, counts) if sum(counts[entry[0]])]
    if not shown:
        return ""
    shares = {key: [100 * c / sum(counts[key]) for c in counts[key]] for key, _, _ in shown}
    top = max(max(values) for values in shares.values())
    plot = Plot((borders[0], borders[-1]), (0, top * 1.08), x_label=words, y_label="%", label=title)
    for key, row, style in shown:
        plot.steps(borders, shares[key], style, row)
    return _figure(title, plot.svg(), shown, note)


def amplitudes(report: Json, row: Json) -> str:
    """Amplitude of mouth and head of each speaker, generated over true, against the speaker's own."""
    drawn = []
    for key, words in (("amplitude_mouth", "mouth opening"), ("amplitude_rotation", "head rotation")):
        ratios = row["figures"].get(key, {}).get("by_speaker", {})
        if ratios:
            names = sorted(ratios, key=lambda s: ratios[s])
            plot = Plot((0, max(len(names), 1) + 1), (0, max(2.0, *ratios.values()) * 1.05), 460, 230,
                        "speakers, least amplitude first", "generated / true", f"{words} by speaker")  # fmt: skip
            plot.rule(y=1.0)
            values = [ratios[s] for s in names]
            labels = [f"{s}: {ratios[s]:.2f}" for s in names]
            plot.dots(range(1, len(names) + 1), values, "take1", 5, labels)
            drawn.append(_figure(f"{row['title']}: amplitude of {words}", plot.svg(), [], ""))
    correlations = row["figures"].get("mouth_correlation", {}).get("by_speaker", {})
    if correlations:
        names = sorted(correlations, key=lambda s: correlations[s])
        low = min(0.0, *correlations.values())
        plot = Plot((0, len(names) + 1), (low, 1.0), 460, 230, "speakers, least first", "correlation", "by speaker")
        labels = [f"{s}: {correlations[s]:.2f}" for s in names]
        plot.dots(range(1, len(names) + 1), [correlations[s] for s in names], "take2", 5, labels)
        drawn.append(_figure(f"{row['title']}: mouth correlation", plot.svg(), [], ""))
    return "".join(drawn)


def _shown(report: Json, found: Json, *, strangers: bool = False) -> list[tuple[str, str, str]]:
    """Rows that have something to plot: (key, title, style)."""
    styles, number = [], 0
    for row in report["rows"]:
        key = row["key"]
        if row["kind"] == "method":
            number += 1
        if key not in found or (row["kind"] == "floor" and not (strangers and key.endswith(OTHER_SPEECH))):
            continue
        if key == PEOPLE:
            style = "truth"
        elif key == STRANGERS:
            continue
        else:
            style = f"take{(number - 1) % 3 + 1}" + (" dashed" if row["kind"] == "floor" else "")
        styles.append((key, row["title"], style))
    return styles


def _takes_legend(samples: Sequence[Sample], row: str) -> str:
    count = max((len(sample.takes.get(row, [])) for sample in samples), default=0)
    return legend([("truth", "truth"), *((f"take{k % 3 + 1}", f"take {k + 1}") for k in range(count)),
                   ("speech", "speech"), ("lips", "p, b, m")])  # fmt: skip


def _figure(title: str, drawing: str, shown: Sequence[tuple[str, str, str]], note: str) -> str:
    keys = legend([(style, words) for _, words, style in shown]) if shown else ""
    words = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<figure><figcaption>{escape(title)}</figcaption>{drawing}{keys}{words}</figure>"


def _section(title: str, note: str, content: str) -> str:
    words = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{title}</h2>{words}{content}</section>" if content else ""
