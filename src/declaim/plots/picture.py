"""Plots as a file of their own: an SVG that brings its colours and the words beside them."""

from collections.abc import Sequence
from html import escape

from declaim.plots.svg import TOP, Plot

COLOURS = ("#d1495b", "#2e86ab", "#e09f3e", "#4f9d69", "#7d5ba6", "#30343f", "#c2649a", "#8a6d3b")
"""Of the takes, in turn: told apart by people who see few colours, too, for the first three."""
MARGIN, ROW = 110.0, 20.0
"""Of the words beside the axes, and of a line of these, px."""
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #5c6670 }
.grid { stroke: #e2e4e1 } .rule { stroke: #8a939b; stroke-dasharray: 4 4 }
.line { fill: none; stroke-width: 1; stroke-opacity: .4; stroke-linejoin: round }
.dot { fill-opacity: .6 } .start { fill-opacity: 1; stroke: #fff; stroke-width: 1.5 }
"""


def standing_alone(plots: Sequence[Plot], labels: Sequence[str], margin: float = MARGIN) -> str:
    """The text of an SVG file with the plots under each other.

    Args:
        plots: of one width; what belongs to label ``n`` has the style ``take{n}``.
        labels: words for the styles.
        margin: room for them, px.
    """
    rules = "".join(
        f".line.take{n} {{ stroke: {c} }} .dot.take{n} {{ fill: {c} }}\n"
        for n, c in enumerate(COLOURS[number % len(COLOURS)] for number in range(len(labels)))
    )
    tops = [sum(plot.height for plot in plots[:number]) for number in range(len(plots))]
    width = plots[0].width + margin
    height = max(tops[-1] + plots[-1].height, TOP + ROW * (len(labels) + 1))
    keys = "".join(
        f'<circle class="dot start take{n}" cx="{plots[0].width + 8}" cy="{TOP + ROW * n + 6}" r="5"/>'
        f'<text x="{plots[0].width + 18}" y="{TOP + ROW * n + 10}">{escape(label)}</text>'
        for n, label in enumerate(labels)
    )
    inner = "".join(
        plot.svg().replace("<svg ", f'<svg y="{top}" width="{plot.width}" height="{plot.height}" ', 1)
        for plot, top in zip(plots, tops, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<style>{STYLE}{rules}</style><rect width="100%" height="100%" fill="#fbfbf9"/>{inner}{keys}</svg>\n'
    )
