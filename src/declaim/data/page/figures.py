"""Curves, histograms and bars as inline SVG; colours come from the page's style, so they follow its dark mode."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH = 860
"""Of a clip's curves, in the SVG's own units."""
_MOST_POINTS = 480


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a lane.

    Attributes:
        label: its name.
        values: one a frame.
        colour: class of the style: ``c1``, ``c2``, ``c3``.
    """

    label: str
    values: NDArray[np.floating]
    colour: str


@dataclass(frozen=True, eq=False)
class Lane:
    """Curves over one axis.

    Attributes:
        title: what is drawn, with its unit.
        curves: at least one.
        least_span: least height of the axis in the curves' unit, so that stillness looks still.
        zero: whether the axis begins at 0.
    """

    title: str
    curves: Sequence[Curve]
    least_span: float
    zero: bool = False


def lanes_svg(lanes: Sequence[Lane], speaking: Sequence[bool] | None, valid: Sequence[bool], fps: float) -> str:
    """Lanes over a common time axis; speech as a band, frames without a face greyed."""
    height, gap, top = 74.0, 16.0, 14.0
    n_frames = len(valid)
    total = top + len(lanes) * (height + gap) + 26.0
    scale = WIDTH / max(n_frames, 1)
    body = [_spans([not v for v in valid], scale, top, total - 26.0 - top - gap, "lost")]
    for number, lane in enumerate(lanes):
        body.append(_lane(lane, top + number * (height + gap), height))
    band = top + len(lanes) * (height + gap) - gap + 5
    body.append(f'<rect class="silent" x="0" y="{band}" width="{WIDTH}" height="8" rx="2"/>')
    body.append(_spans(list(speaking or ()), scale, band, 8.0, "speech"))
    body.append(_seconds(n_frames / fps, band + 21))
    body.append(f'<line class="playhead" x1="0" x2="0" y1="{top}" y2="{band + 8}"/>')
    box = f'viewBox="0 0 {WIDTH} {total}" role="img" aria-label="curves of the clip"'
    return f'<svg class="curves" {box}>{"".join(body)}</svg>'


def histogram_svg(
    values: Sequence[float], title: str, unit: str, edges: Sequence[float], mark: float | None = None
) -> str:
    """How often values fall between ``edges``; what lies beyond counts in the outermost bars."""
    width, height, base = 300, 120, 104
    counts, _ = np.histogram(np.clip(np.asarray(values, float), edges[0], np.nextafter(edges[-1], edges[0])), edges)
    most, step = max(int(counts.max()), 1), width / len(counts)
    bars = []
    for i, count in enumerate(counts):
        h = 84 * count / most
        tip = f"{edges[i]:g} to {edges[i + 1]:g} {unit}: {count}"
        bars.append(
            f'<rect class="bar" x="{i * step + 1:.1f}" y="{base - h:.1f}" width="{step - 2:.1f}" height="{h:.1f}">'
            f"<title>{escape(tip)}</title></rect>"
        )
    if mark is not None:
        x = (mark - edges[0]) / (edges[-1] - edges[0]) * width
        bars.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{base}"/>')
    middle = (edges[0] + edges[-1]) / 2
    labels = "".join(
        f'<text x="{x}" y="{height - 1}" text-anchor="{anchor}">{value:g}</text>'
        for x, value, anchor in ((0, edges[0], "start"), (width / 2, middle, "middle"), (width, edges[-1], "end"))
    )
    most_label = f'<text x="0" y="12">{most}</text>' if len(values) else ""
    if not len(values):
        bars = [f'<text x="{width / 2}" y="{base / 2 + 6}" text-anchor="middle">not measured</text>']
    heading = f"<figcaption>{escape(title)} <small>{escape(unit)}</small></figcaption>"
    axis = f'<line class="axis" x1="0" x2="{width}" y1="{base}" y2="{base}"/>'
    return (
        f'<figure>{heading}<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(bars)}{axis}{labels}{most_label}</svg></figure>"
    )


def _lane(lane: Lane, top: float, height: float) -> str:
    low = min(float(np.nanmin(curve.values)) for curve in lane.curves)
    high = max(float(np.nanmax(curve.values)) for curve in lane.curves)
    low = min(low, 0.0) if lane.zero else low
    if high - low < lane.least_span:
        low = low if lane.zero else (low + high - lane.least_span) / 2
        high = low + lane.least_span
    parts = [f'<rect class="lane" x="0" y="{top}" width="{WIDTH}" height="{height}" rx="4"/>']
    if low < 0 < high:
        y = top + height * high / (high - low)
        parts.append(f'<line class="zero" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for curve in lane.curves:
        parts.append(f'<path class="line {curve.colour}" d="{_path(curve.values, low, high, top, height)}"/>')
    legend = " ".join(f'<tspan class="{c.colour}" dx="6">{escape(c.label)}</tspan>' for c in lane.curves)
    parts.append(f'<text x="2" y="{top - 4}">{escape(lane.title)}{legend if len(lane.curves) > 1 else ""}</text>')
    parts.append(f'<text x="{WIDTH - 2}" y="{top - 4}" text-anchor="end">{round(low)} to {round(high)}</text>')
    return "".join(parts)


def _path(values: NDArray[np.floating], low: float, high: float, top: float, height: float) -> str:
    """Broken where a value is missing; long curves keep the extremes of every few frames."""
    at = np.arange(len(values))
    if len(values) > _MOST_POINTS:
        at = _extremes(values, _MOST_POINTS)
    x = (at + 0.5) * WIDTH / len(values)
    y = top + 2 + (height - 4) * (high - values[at]) / (high - low)
    pieces, pen_up = [], True
    for px, py in zip(x, y, strict=True):
        if math.isnan(py):
            pen_up = True
            continue
        pieces.append(f"{'M' if pen_up else 'L'}{px:.1f} {py:.1f}")
        pen_up = False
    return "".join(pieces)


def _extremes(values: NDArray[np.floating], most: int) -> NDArray[np.intp]:
    chosen: set[int] = set()
    for part in np.array_split(np.arange(len(values)), most // 2):
        seen = part[~np.isnan(values[part])]
        chosen |= {int(seen[values[seen].argmin()]), int(seen[values[seen].argmax()])} if len(seen) else {int(part[0])}
    return np.asarray(sorted(chosen))


def _spans(on: Sequence[bool], scale: float, y: float, height: float, kind: str) -> str:
    """A rectangle for every run of frames that are on."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(on, bool), [False]]).astype(int)))
    return "".join(
        f'<rect class="{kind}" x="{a * scale:.1f}" y="{y}" width="{(b - a) * scale:.1f}" height="{height}"/>'
        for a, b in zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)
    )


def _seconds(duration: float, y: float) -> str:
    """Time in round numbers."""
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if duration / s <= 9), 1800)
    marks: Iterable[float] = np.arange(0, duration - 0.3 * step, step).tolist()
    texts = [
        f'<text x="{m / duration * WIDTH:.1f}" y="{y}" text-anchor="{"start" if m == 0 else "middle"}">{m:g}</text>'
        for m in marks
    ]
    return "".join([*texts, f'<text x="{WIDTH}" y="{y}" text-anchor="end">{duration:.1f} s</text>'])
