"""Where heads go in several takes: yaw against pitch, one colour a take."""

from collections.abc import Sequence
from html import escape

import torch

from declaim.face.rotations import yaw_pitch_roll
from declaim.plots.svg import BOTTOM, LEFT, RIGHT, TOP, Plot, span
from declaim.types import Motion

COLOURS = ("#d1495b", "#2e86ab", "#e09f3e", "#4f9d69", "#7d5ba6", "#30343f", "#c2649a", "#8a6d3b")
"""Of the takes, in turn: told apart by people who see few colours, too, for the first three."""
MOST_POINTS = 750
"""Of one take: as many frames of 30 s; longer takes are thinned."""
SIDE, MARGIN, ROW = 420.0, 110.0, 20.0
"""Of the axes, the words beside them, and a line of these, px."""
LEAST_DEG = 12.0
"""Least range of the axes: a still head looks still."""
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #5c6670 }
.grid { stroke: #e2e4e1 } .rule { stroke: #8a939b; stroke-dasharray: 4 4 }
.line { fill: none; stroke-width: 1; stroke-opacity: .4; stroke-linejoin: round }
.dot { fill-opacity: .6 } .start { fill-opacity: 1; stroke: #fff; stroke-width: 1.5 }
"""


def pose_scatter(takes: Sequence[Motion], labels: Sequence[str]) -> str:
    """A picture of several takes' head poses, as the text of an SVG file.

    Both axes have one scale and lie as the viewer sees the face: a head that turns to the viewer's right goes right,
    one that looks up goes up. Lines follow time, a ringed dot is the first frame.

    Args:
        takes: motions relative to rest.
        labels: their names.
    """
    angles = [torch.rad2deg(yaw_pitch_roll(take["rotation"].float())) for take in takes]
    paths = [
        (a[:: -(-len(a) // MOST_POINTS), 0].tolist(), (-a[:: -(-len(a) // MOST_POINTS), 1]).tolist()) for a in angles
    ]
    low_x, high_x = span(*[x for x, _ in paths], least=LEAST_DEG)
    low_y, high_y = span(*[y for _, y in paths], least=LEAST_DEG)
    half = max(high_x - low_x, high_y - low_y) / 2
    x, y = (low_x + high_x) / 2, (low_y + high_y) / 2
    plot = Plot(
        (x - half, x + half), (y - half, y + half), LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM,
        "turn of the head (yaw), degrees", "up (pitch), degrees", "head poses of several takes",
    )  # fmt: skip
    plot.rule(x=0)
    plot.rule(y=0)
    for number, ((turns, nods), label) in enumerate(zip(paths, labels, strict=True)):
        plot.line(turns, nods, f"take{number}", label)
        plot.dots(turns, nods, f"take{number}", 1.6)
    for number, (turns, nods) in enumerate(paths):
        plot.dots(turns[:1], nods[:1], f"take{number} start", 4.5)
    return _standing_alone(plot, labels)


def _standing_alone(plot: Plot, labels: Sequence[str]) -> str:
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(labels))]
    rules = "".join(
        f".line.take{n} {{ stroke: {c} }} .dot.take{n} {{ fill: {c} }}\n" for n, c in enumerate(colours)
    )  # fmt: skip
    width, height = plot.width + MARGIN, max(plot.height, TOP + ROW * (len(labels) + 1))
    keys = "".join(
        f'<circle class="dot start take{n}" cx="{plot.width + 8}" cy="{TOP + ROW * n + 6}" r="5"/>'
        f'<text x="{plot.width + 18}" y="{TOP + ROW * n + 10}">{escape(label)}</text>'
        for n, label in enumerate(labels)
    )
    inner = plot.svg().replace("<svg ", f'<svg width="{plot.width}" height="{plot.height}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<style>{STYLE}{rules}</style><rect width="100%" height="100%" fill="#fbfbf9"/>{inner}{keys}</svg>\n'
    )
