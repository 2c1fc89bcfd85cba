"""What was measured about people's eyes, and the expression that blinks and gaze drawn from it add to a face."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.face.layouts import N_EXPRESSION
from declaim.motion.blinks import lid_curve, reach_frames
from declaim.motion.events import AHEAD, N_ODDS, EventProcess
from declaim.motion.gaze import COURSE, fixations, held_on_viewer, shift

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
    alive = LivingEyes(eyes, seed, gaze_scale=gaze_scale, blink_scale=blink_scale)
    alive.listen(active, last=True)
    return alive.rows(rotation)


class LivingEyes:
    """`living_eyes` of a clip that becomes known little by little; see there for arguments."""

    def __init__(self, eyes: Eyes, seed: int, *, gaze_scale: float = 1.0, blink_scale: float = 1.0) -> None:
        self.eyes, self.gaze_scale, self.blink_scale = eyes, gaze_scale, blink_scale
        self._processes = EventProcess(eyes.blink_odds, seed, BLINKS, 2), EventProcess(eyes.gaze_odds, seed, SHIFTS, 2)
        self._blinks, self._shifts = (_Events([], torch.zeros(0, 2)) for _ in range(2))
        self._at = torch.zeros(2)
        self._made = 0

    def listen(self, active: Bool[Tensor, " frames"], *, last: bool = False) -> None:
        """Take in the activity of the next frames."""
        blinks, shifts = (_Events(*process.advance(active, last=last)) for process in self._processes)
        self._blinks, self._shifts = self._blinks + blinks.since(self._made), self._shifts + shifts.since(self._made)

    def rows(self, rotation: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames expression"]:
        """The next frames' eyes; activity must be known for `Eyes.ahead` frames more, or to the end."""
        eyes, n = self.eyes, len(rotation)
        lids = lid_curve(n, self._blinks.frames, self._blinks.draws, eyes.blink_course, eyes.blink_stretch)
        look = fixations(n, self._shifts.frames, self._shifts.draws, eyes.gaze_spread, self._at)
        look = look + held_on_viewer(rotation, eyes.gaze_gain)
        _, self._blinks = self._blinks.later(n, reach_frames(len(eyes.blink_course)))
        past, self._shifts = self._shifts.later(n, len(COURSE))
        self._made += n
        for drawn in past.draws:
            self._at = self._at + shift(self._at, drawn, eyes.gaze_spread)
        return self.blink_scale * lids[:, None] * eyes.blink_direction + self.gaze_scale * look @ eyes.gaze_directions.T


@dataclass(frozen=True, eq=False)
class _Events:
    """Events at ``frames``, counted from the next frame to be made, with each one's random numbers."""

    frames: list[int]
    draws: Float[Tensor, "events 2"]

    def __add__(self, more: "_Events") -> "_Events":
        return _Events(self.frames + more.frames, torch.cat([self.draws, more.draws]))

    def since(self, frame: int) -> "_Events":
        """The same, counted from ``frame``."""
        return _Events([own - frame for own in self.frames], self.draws)

    def later(self, n: int, reach: int) -> "tuple[_Events, _Events]":
        """Those that are over ``n`` frames later, and the rest as counted from there."""
        over = sum(frame + reach < n for frame in self.frames)
        return _Events(self.frames[:over], self.draws[:over]), _Events(self.frames[over:], self.draws[over:]).since(n)
