"""Where heads go in several takes: yaw against pitch, one colour a take."""

from collections.abc import Sequence

import torch

from declaim.face.rotations import yaw_pitch_roll
from declaim.plots.picture import standing_alone
from declaim.plots.svg import BOTTOM, LEFT, RIGHT, TOP, Plot, span
from declaim.types import Motion

MOST_POINTS = 750
"""Of one take: as many frames of 30 s; longer takes are thinned."""
SIDE = 420.0
"""Of the axes, px."""
LEAST_DEG = 12.0
"""Least range of the axes: a still head looks still."""


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
    return standing_alone([plot], labels)
