"""From the rows of every clip to the figures: every speaker has one vote."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.report import Figure, markdown
from declaim.metrics.averages import by_speaker, interval

Rows = list[dict[str, Any]]


def summary(rows: Rows) -> list[Figure]:
    """The figures, with targets where there are some."""
    correlation = per_take(rows, "mouth_correlation")
    low, high = interval(correlation.values())
    floor = by_speaker((r["speaker"], s["mouth_correlation"]) for r in rows for s in r["shuffled"])
    truth_floor = by_speaker((r["speaker"], c) for r in rows for c in r["truth_shuffled"])
    return [
        Figure(
            "mouth correlation, by speaker",
            _mean(correlation),
            low=0.60,
            beside=f"95 % interval over {len(correlation)} speakers {low:.2f} to {high:.2f}",
        ),
        Figure(
            "mouth correlation, shuffled sound",
            _mean(floor),
            beside=f"another speaker's truth gives {_show(_mean(truth_floor))}",
        ),
        Figure("mouth lag behind the truth, frames", _mean(per_take(rows, "mouth_lag"))),
        _ratio(rows, "mouth_sd_cm", "amplitude ratio, mouth", 0.8, 1.2),
        _ratio(rows, "head_sd_deg", "amplitude ratio, head rotation", 0.6, 1.4),
        *_closures(rows),
        *_silences(rows),
        *_blinks(rows),
        Figure("head diversity over takes, degrees", _mean(by_speaker(_pairs(rows, lambda r: r["diversity_deg"])))),
        _beside_truth(rows, "beat_align", "beat align of head and onsets"),
        *(
            Figure(name, _mean(per_take(rows, key)))
            for key, name in (
                ("lmd", "LMD, face heights (mean person)"),
                ("lve_cm", "LVE, cm (mean person)"),
                ("mod_cm", "MOD, cm (mean person)"),
                ("fdd_cm", "FDD, cm (truth minus generated)"),
            )
        ),
    ]


def per_take(rows: Rows, key: str) -> dict[str, float]:
    """Mean of one score over each speaker's clips and takes."""
    return by_speaker((r["speaker"], t[key]) for r in rows for t in r["takes"] if t[key] is not None)


def of_truth(rows: Rows, key: str) -> dict[str, float]:
    """Mean of one of the truth's own scores over each speaker's clips."""
    return by_speaker(_pairs(rows, lambda r: r["truth"][key]))


def speaker_table(rows: Rows) -> str:
    """One line per speaker: where the method is weak."""
    correlation, floor = per_take(rows, "mouth_correlation"), of_truth(rows, "mouth_sd_cm")
    mouth, head, head_truth = (
        per_take(rows, "mouth_sd_cm"),
        per_take(rows, "head_sd_deg"),
        of_truth(rows, "head_sd_deg"),
    )
    lines = []
    for speaker in correlation:
        own = [r for r in rows if r["speaker"] == speaker]
        spread = [t["mouth_correlation"] for r in own for t in r["takes"]]
        closed = _rate([t["closed"] for r in own for t in r["takes"]])
        blinks = _per_minute([t for r in own for t in r["takes"]])
        lines.append(
            (
                speaker,
                len(own),
                f"{correlation[speaker]:.2f} ({min(spread):.2f} to {max(spread):.2f})",
                f"{mouth[speaker] / floor[speaker]:.2f} of {floor[speaker]:.2f} cm",
                f"{head[speaker]:.1f} / {head_truth[speaker]:.1f}",
                f"{_show(closed)} / {_show(_rate([r['truth']['closed'] for r in own]))}",
                f"{_show(per_take(own, 'silence_movement').get(speaker))} / "
                f"{_show(of_truth(own, 'silence_movement').get(speaker))}",
                f"{_show(_gaps(own))}",
                f"{blinks:.0f} / {_per_minute([r['truth'] for r in own]):.0f}",
            )
        )
    header = (
        "speaker", "clips", "mouth r (range)", "mouth amplitude", "head sd deg gen/true", "closed p b m gen/true",
        "silence gen/true", "inserted silence", "blinks/min gen/true",
    )  # fmt: skip
    return markdown(header, lines)


def _ratio(rows: Rows, key: str, name: str, low: float, high: float) -> Figure:
    generated, truth = per_take(rows, key), of_truth(rows, key)
    single = [generated[s] / truth[s] for s in generated]
    return Figure(
        name,
        _mean(generated) / _mean(truth),
        low=low,
        high=high,
        beside=f"single speakers {min(single):.2f} to {max(single):.2f}, median {np.median(single):.2f}",
    )


def _closures(rows: Rows) -> list[Figure]:
    with_spans = [r for r in rows if r["truth"]["closed"]]
    if not with_spans:
        return []
    truth = _rate([r["truth"]["closed"] for r in with_spans])
    shuffled = _rate([s["closed"] for r in with_spans for s in r["shuffled"]])
    chance = np.mean([t["closed_anywhere"] for r in with_spans for t in r["takes"]])
    true_chance = np.mean([r["truth"]["closed_anywhere"] for r in with_spans])
    instants = sum(len(r["truth"]["closed"]) for r in with_spans)
    return [
        Figure(
            "lips closed on p, b, m",
            _rate([t["closed"] for r in with_spans for t in r["takes"]]),
            low=0.80,
            beside=f"truth {_show(truth)} ({instants} instants, {len(with_spans)} GRID clips); other sound "
            f"{_show(shuffled)}; anywhere in speech {chance:.2f}, truth {true_chance:.2f}",
        )
    ]


def _silences(rows: Rows) -> list[Figure]:
    pauses, truth = per_take(rows, "silence_movement"), of_truth(rows, "silence_movement")
    gaps = _gaps(rows)
    return [
        Figure(
            "mouth in pauses >= .4 s, of speech",
            _mean(pauses),
            high=0.10,
            beside=f"truth {_show(_mean(truth))} (people breathe in and prepare); {len(pauses)} speakers",
        ),
        Figure("mouth in inserted digital silence, of speech", gaps, high=0.10),
    ]


def _blinks(rows: Rows) -> list[Figure]:
    takes, truths = [t for r in rows for t in r["takes"]], [r["truth"] for r in rows]
    rate, true_rate = _per_minute(takes), _per_minute(truths)
    durations = [np.mean(d) if (d := [x for t in group for x in t["blink_s"]]) else np.nan for group in (takes, truths)]
    return [
        Figure("blinks a minute", rate, low=true_rate / 2, high=true_rate * 2, beside=f"truth {true_rate:.1f}"),
        Figure("blink duration, s", float(durations[0]), beside=f"truth {durations[1]:.2f}"),
    ]


def _beside_truth(rows: Rows, key: str, name: str) -> Figure:
    return Figure(name, _mean(per_take(rows, key)), beside=f"truth {_show(_mean(of_truth(rows, key)))}")


def _gaps(rows: Rows) -> float | None:
    values = [x for r in rows for x in r.get("gap_movement", [])]
    return float(np.mean(values)) if values else None


def _rate(flags: list[list[bool] | None]) -> float | None:
    pooled = [f for group in flags if group for f in group]
    return float(np.mean(pooled)) if pooled else None


def _per_minute(scores: list[dict[str, Any]]) -> float:
    return 60 * sum(s["blinks"] for s in scores) / sum(s["seconds"] for s in scores)


def _pairs(rows: Rows, value: Callable[[dict[str, Any]], float | None]) -> list[tuple[str, float]]:
    return [(r["speaker"], v) for r in rows if (v := value(r)) is not None]


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else float("nan")


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
