"""What was measured about people's eyes, and the expression that blinks and gaze drawn from it add to a face."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.face.layouts import N_EXPRESSION
from declaim.motion.blinks import lid_curve, reach_frames
from declaim.motion.events import AHEAD, N_ODDS, draw_events
from declaim.motion.gaze import fixations, held_on_viewer

BLINKS, SHIFTS = 2, 3
"""Streams of random numbers, apart from the networks' noise."""


@dataclass(frozen=True, eq=False)
class Eyes:
    """People's eyes.

    Attributes:
        blink_direction: b of a shut blink.
        blink_course: how far a mean blink shuts the lids, frame by frame; 1 in its middle.
        blink_stretch: mean and standard deviation of the logarithm of blinks' durations over the mean course's.
        blink_odds: when blinks come, see `declaim.motion.events`.
        gaze_reading: ``b @ gaze_reading`` is where the irises stand (x, y), cm.
        gaze_directions: b that moves the irises by 1 cm, lids included; `gaze_reading` of it is the identity.
        gaze_odds: when gaze shifts.
        gaze_spread: standard deviation of the places where gaze rests, cm.
        gaze_gain: cm of x and y that the irises move for 1 rad of the head's turn and nod.
    """

    blink_direction: Float[Tensor, " expression"]
    blink_course: Float[Tensor, " blink"]
    blink_stretch: Float[Tensor, " 2"]
    blink_odds: Float[Tensor, " odds"]
    gaze_reading: Float[Tensor, "expression 2"]
    gaze_directions: Float[Tensor, "expression 2"]
    gaze_odds: Float[Tensor, " odds"]
    gaze_spread: Float[Tensor, " 2"]
    gaze_gain: Float[Tensor, " 2"]

    @classmethod
    def identity(cls) -> "Eyes":
        """Nothing measured: the last three directions are lids and gaze, a blink takes 5 frames and comes every 4 s."""
        eye = torch.eye(N_EXPRESSION)
        look, odds = eye[:, -3:-1].clone(), torch.zeros(N_ODDS)
        odds[:-2] = -4.6
        return cls(
            eye[-1].clone(), torch.tensor([0.0, 0.5, 1.0, 0.5, 0.0]), torch.zeros(2), odds,
            look, look.clone(), odds.clone(), torch.full((2,), 0.03), torch.zeros(2),
        )  # fmt: skip

    def to(self, device: torch.device | str) -> "Eyes":
        """The same on a device."""
        return Eyes(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @property
    def ahead(self) -> int:
        """Frames of speech activity after a frame on which its eyes depend."""
        return AHEAD + reach_frames(len(self.blink_course))

    def without_gaze(self, expression: Float[Tensor, "*batch expression"]) -> Float[Tensor, "*batch expression"]:
        """Expressions whose irises stand in the middle; a projection."""
        straight: Tensor = expression - expression @ self.gaze_reading @ self.gaze_directions.T
        return straight


def living_eyes(
    rotation: Float[Tensor, "frames 3"],
    active: Bool[Tensor, " frames"],
    eyes: Eyes,
    seed: int,
    *,
    gaze_scale: float = 1.0,
    blink_scale: float = 1.0,
) -> Float[Tensor, "frames expression"]:
    """Expression that blinks and gaze add to a face whose lids are open and whose irises stand in the middle.

    Args:
        rotation: of the head around rest, rad.
        active: frames that hold speech. A frame's eyes depend on those up to `Eyes.ahead` frames later.
        eyes: measured.
        seed: the take. The eyes of a longer clip begin as those of a shorter one.
        gaze_scale: amplitude of gaze.
        blink_scale: depth of blinks.
    """
    n = len(active)
    lids = lid_curve(n, *draw_events(active, eyes.blink_odds, seed, BLINKS, 2), eyes.blink_course, eyes.blink_stretch)
    look = fixations(n, *draw_events(active, eyes.gaze_odds, seed, SHIFTS, 2), eyes.gaze_spread)
    look = look + held_on_viewer(rotation, eyes.gaze_gain)
    return blink_scale * lids[:, None] * eyes.blink_direction + gaze_scale * look @ eyes.gaze_directions.T
