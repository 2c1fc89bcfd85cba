"""Plots as inline SVG: no script, no library, colours from the page's own style (so they follow light and dark)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

import numpy as np

Number = int | float

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 24.0, 34.0
"""Margins in pixels, for the tick labels."""


@dataclass
class Plot:
    """A pair of axes to draw on.

    Attributes:
        x: range of values shown along x.
        y: the same along y.
        width: of the whole picture, px.
        height: of the whole picture, px.
        x_label: under the x axis.
        y_label: above the y axis.
        label: what a screen reader says.
    """

    x: tuple[Number, Number]
    y: tuple[Number, Number]
    width: Number = 460
    height: Number = 220
    x_label: str = ""
    y_label: str = ""
    label: str = ""
    _marks: list[str] = field(default_factory=list)

    def at(self, x: Number, y: Number) -> tuple[Number, Number]:
        """Where a point lies in the picture; values beyond the axes are put on their ends."""
        shares = [
            min(max((v - low) / ((high - low) or 1.0), 0.0), 1.0) for v, (low, high) in ((x, self.x), (y, self.y))
        ]
        return (
            LEFT + shares[0] * (self.width - LEFT - RIGHT),
            self.height - BOTTOM - shares[1] * (self.height - TOP - BOTTOM),
        )

    def line(self, xs: Sequence[Number], ys: Sequence[Number], style: str, title: str = "") -> None:
        """A curve."""
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in (self.at(x, y) for x, y in zip(xs, ys, strict=True)))
        self._marks.append(f'<polyline class="line {style}" points="{points}">{_title(title)}</polyline>')

    def dots(
        self, xs: Sequence[Number], ys: Sequence[Number], style: str, size: Number = 3.5, titles: Sequence[str] = ()
    ) -> None:
        """Points."""
        for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
            a, b = self.at(x, y)
            text = _title(titles[i]) if titles else ""
            self._marks.append(f'<circle class="dot {style}" cx="{a:.1f}" cy="{b:.1f}" r="{size}">{text}</circle>')

    def band(self, start: Number, stop: Number, style: str) -> None:
        """A shaded span of x."""
        a, _ = self.at(start, 0)
        b, _ = self.at(stop, 0)
        high = self.height - TOP - BOTTOM
        self._marks.append(f'<rect class="{style}" x="{a:.1f}" y="{TOP}" width="{max(b - a, 1):.1f}" height="{high}"/>')

    def strip(self, start: Number, stop: Number, style: str) -> None:
        """A mark under the curves, along the x axis."""
        a, _ = self.at(start, 0)
        b, _ = self.at(stop, 0)
        y = self.height - BOTTOM - 5
        self._marks.append(f'<rect class="{style}" x="{a:.1f}" y="{y}" width="{max(b - a, 1):.1f}" height="4"/>')

    def rule(self, *, x: Number | None = None, y: Number | None = None) -> None:
        """A thin dashed line across, at a value of x or y."""
        (a, b), (c, d) = (
            (self.at(x, self.y[0]), self.at(x, self.y[1])) if x is not None else
            (self.at(self.x[0], y or 0.0), self.at(self.x[1], y or 0.0))
        )  # fmt: skip
        self._marks.append(f'<line class="rule" x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}"/>')

    def steps(self, borders: Sequence[Number], heights: Sequence[Number], style: str, title: str = "") -> None:
        """A histogram as an outline."""
        xs = [b for pair in pairwise(borders) for b in pair]
        self.line(xs, [h for height in heights for h in (height, height)], style, title)

    def svg(self) -> str:
        """The picture."""
        axes = [*self._axis(horizontal=True), *self._axis(horizontal=False)]
        words = [
            f'<text class="axis" x="{(LEFT + self.width - RIGHT) / 2:.0f}" y="{self.height - 4:.0f}" '
            f'text-anchor="middle">{escape(self.x_label)}</text>',
            f'<text class="axis" x="2" y="2" dominant-baseline="hanging">{escape(self.y_label)}</text>',
        ]
        return (
            f'<svg viewBox="0 0 {self.width:.0f} {self.height:.0f}" role="img" aria-label="{escape(self.label)}">'
            + "".join([*axes, *self._marks, *words])
            + "</svg>"
        )

    def _axis(self, *, horizontal: bool) -> list[str]:
        low, high = self.x if horizontal else self.y
        found = []
        for value in ticks(low, high):
            a, b = self.at(value, self.y[0]) if horizontal else self.at(self.x[0], value)
            if horizontal:
                grid = f'<line class="grid" x1="{a:.1f}" y1="{TOP}" x2="{a:.1f}" y2="{b:.1f}"/>'
                word = f'<text class="tick" x="{a:.1f}" y="{b + 13:.1f}" text-anchor="middle">{value:g}</text>'
            else:
                grid = f'<line class="grid" x1="{a:.1f}" y1="{b:.1f}" x2="{self.width - RIGHT}" y2="{b:.1f}"/>'
                word = f'<text class="tick" x="{a - 5:.1f}" y="{b + 3.5:.1f}" text-anchor="end">{value:g}</text>'
            found += [grid, word]
        return found


def ticks(low: Number, high: Number, about: int = 5) -> list[Number]:
    """Round numbers within a range."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    size = 10 ** np.floor(np.log10(rough))
    step = next(size * k for k in (1, 2, 5, 10) if size * k >= rough)
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [float(f"{k * step:.10g}") for k in range(first, last + 1)]


def span(*values: Sequence[Number], room: Number = 0.06, least: Number = 0.0) -> tuple[Number, Number]:
    """A range that holds all values, with some room at both ends."""
    flat = [v for group in values for v in group if np.isfinite(v)] or [0.0, 1.0]
    low, high = min(flat), max(flat)
    extra = max((high - low) * room, (least - (high - low)) / 2, 1e-6)
    return low - extra, high + extra


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """What the colours mean: (style, words)."""
    items = "".join(f'<span class="key"><i class="{style}"></i>{escape(text)}</span>' for style, text in entries)
    return f'<div class="legend">{items}</div>'


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""
