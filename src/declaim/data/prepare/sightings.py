r"""Faces seen now and then become faces that stay: which sightings are of one person, and where that is in doubt.

    frame      0    5    10   15   20   25   30
    left       A----A----A    .    .    C----C      A and B come so near to each other that nobody can tell who is
    middle     .    .    .  [x x]  .    .    .      who afterwards: both end, and what is seen later is somebody new
    right      B----B----B    .    .    D----D

Boxes alone decide: no network says who somebody is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from declaim.face.faces import Box

CROWDED = 1.2
"""Two faces are in doubt whose middles are closer than this, in sides of the larger box."""
REACH = 1.0
"""A face moves at most this far between two sightings, in sides of its box."""
ALIKE = 0.5
"""Two sightings of one face differ in size at most by this factor."""
PATIENCE = 25
"""Frames for which a face may be out of sight and still be the same."""


@dataclass
class Seen:
    """One face over time.

    Attributes:
        frames: when it was seen.
        boxes: where.
        rivals: height of the tallest other face at that time, in heights of this one.
        sure_start: whether it may have been there since the sighting before; False where it came out of a crowd.
        sure_end: likewise at the end.
    """

    frames: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    rivals: list[float] = field(default_factory=list)
    sure_start: bool = True
    sure_end: bool = True


def followed(sightings: Sequence[tuple[int, Sequence[Box]]]) -> list[Seen]:
    """The faces of one shot, in order of their first sighting, from left to right.

    Args:
        sightings: frames and the boxes seen there, in order of time.
    """
    done: list[Seen] = []
    going: list[Seen] = []
    after_crowd = False
    for frame, boxes in sightings:
        crowd = _crowded(boxes)
        ended = [s for s in going if frame - s.frames[-1] > PATIENCE]
        doubtful = [s for s in going if any(_near(s.boxes[-1], box, CROWDED) for box in crowd)]
        free = [box for box in boxes if box not in crowd]
        pairs = [(s, box) for s in going if s not in ended for box in free if _same(s.boxes[-1], box)]
        for box in free:
            mine = [s for s, b in pairs if b == box and s not in doubtful]
            if len(mine) == 1 and sum(s is mine[0] for s, _ in pairs) == 1:
                seen = mine[0]
            else:
                doubtful += [s for s in mine if s not in doubtful]
                seen = Seen(sure_start=not (after_crowd or mine))
                going.append(seen)
            seen.frames.append(frame)
            seen.boxes.append(box)
            seen.rivals.append(max((_height(b) / _height(box) for b in boxes if b != box), default=0.0))
        for seen in doubtful:
            seen.sure_end = False
        done += [s for s in going if s in ended or s in doubtful]
        going = [s for s in going if s not in ended and s not in doubtful]
        after_crowd = bool(crowd)
    return sorted(done + going, key=lambda s: (s.frames[0], s.boxes[0]))


def _crowded(boxes: Sequence[Box]) -> list[Box]:
    close = [(a, b) for a, b in combinations(boxes, 2) if _near(a, b, CROWDED)]
    return [box for box in boxes if any(box in pair for pair in close)]


def _same(a: Box, b: Box) -> bool:
    return _near(a, b, REACH) and min(_side(a), _side(b)) >= ALIKE * max(_side(a), _side(b))


def _near(a: Box, b: Box, reach: float) -> bool:
    apart = math.dist(((a[0] + a[2]) / 2, (a[1] + a[3]) / 2), ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2))
    return apart < reach * max(_side(a), _side(b))


def _side(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _height(box: Box) -> float:
    return max(box[3] - box[1], 1e-6)
