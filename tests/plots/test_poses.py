import xml.etree.ElementTree as ElementTree
from math import radians

import torch

from declaim.face.layouts import FACE64
from declaim.plots.picture import COLOURS
from declaim.plots.poses import MOST_POINTS, pose_scatter
from declaim.types import Motion

SVG = "{http://www.w3.org/2000/svg}"


def turned(yaws_deg, pitches_deg):
    """A motion that turns, then nods (small angles: the order hardly matters)."""
    values = torch.zeros(len(yaws_deg), FACE64.dim)
    rotation = values[:, FACE64.part("rotation").columns]
    rotation[:, 0] = torch.tensor([radians(p) for p in pitches_deg])
    rotation[:, 1] = torch.tensor([radians(y) for y in yaws_deg])
    return Motion(values, FACE64)


def dots(text, style):
    root = ElementTree.fromstring(text)
    inner = root.find(f"{SVG}svg")
    assert inner is not None
    found = [c for c in inner.iter(f"{SVG}circle") if c.get("class") == style]
    return [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in found]


def test_right_is_right_up_is_up_and_both_have_one_scale():
    text = pose_scatter([turned([0.0, 5.0, 0.0], [0.0, 0.0, -5.0])], ["seed 3"])
    (x0, y0), (x1, y1), (x2, y2) = dots(text, "dot take0")
    assert x1 > x0 and abs(y1 - y0) < 0.2
    assert y2 < y0 and abs(x2 - x0) < 0.2
    assert abs((x1 - x0) - (y0 - y2)) < 0.3


def test_every_take_has_its_colour_and_its_name():
    takes = [turned([float(i), 1.0], [0.0, 0.0]) for i in range(len(COLOURS) + 1)]
    text = pose_scatter(takes, [f"<seed {i}>" for i in range(len(takes))])
    assert all(f".dot.take{i} {{ fill: {COLOURS[i % len(COLOURS)]} }}" in text for i in range(len(takes)))
    words = [t.text for t in ElementTree.fromstring(text).iter(f"{SVG}text")]
    assert all(f"<seed {i}>" in words for i in range(len(takes)))
    assert len(dots(text, "dot take4 start")) == 1


def test_long_takes_are_thinned():
    assert len(dots(pose_scatter([turned([0.1] * 9000, [0.0] * 9000)], ["a"]), "dot take0")) <= MOST_POINTS
