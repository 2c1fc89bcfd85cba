"""When eyes do something: a chance for every frame, which depends on the time since the last event and on speech.

    log odds of frame t  =  curve(time since the last event)  +  what the speech around t adds

The curve is linear in the logarithm of time between `KNOTS_S`, and there is no event within `REFRACTORY` frames of the
last. Whether frame t holds an event depends on its own random number, on the events before, and on the speech activity
of the frames up to ``t + AHEAD``: a clip's events begin as those of any longer clip.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.diffusion.noise import frame_noise
from declaim.timebase import FPS

KNOTS_S = (0.3, 0.6, 1.2, 2.5, 5.0)
"""Seconds since the last event between which the log odds are interpolated."""
REFRACTORY = 5
"""Frames after an event that hold no other; 4 % of people's blinks and none of the shifts of gaze (by their
definition) follow sooner."""
LONGEST = round(KNOTS_S[-1] * FPS)
"""Frames since the last event from which on its time does not matter."""
QUIET, AROUND, AHEAD = 4, 3, 3
"""Speech that follows on so many frames without activity starts anew; that counts from so many frames before its first
frame, and for so many frames from there."""
WARM_UP = 250
"""Frames of silence that come before a clip, so that it begins somewhere between two events."""
CONTEXT = ("silence", "start of speech")
"""What each context column tells."""
N_ODDS = len(KNOTS_S) + len(CONTEXT)
"""Numbers that describe a process: log odds at the knots, and what each context adds."""


def time_basis(frames: Float[Tensor, " times"]) -> Float[Tensor, "times knots"]:
    """Weights of the knots at a number of frames since the last event: hats over the logarithm of time."""
    knots = torch.tensor(KNOTS_S, dtype=torch.float64).log()
    place = (frames.double() / float(FPS)).log().clamp(knots[0], knots[-1])
    upper = torch.searchsorted(knots, place).clamp(1, len(knots) - 1)
    share = (place - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    basis = torch.zeros(len(frames), len(knots), dtype=torch.float64)
    basis.scatter_(1, (upper - 1)[:, None], (1 - share)[:, None])
    return basis.scatter_(1, upper[:, None], share[:, None])


def contexts(active: Bool[Tensor, " frames"]) -> Float[Tensor, "frames context"]:
    """For every frame 1 where somebody is silent, and 1 around the start of speech; before a clip there is silence."""
    before = torch.nn.functional.pad(active.double()[None], (QUIET, 0))
    quiet = torch.nn.functional.max_pool1d(before, QUIET, 1)[0, :-1] == 0
    starts = torch.nn.functional.pad((active & quiet).double()[None], (AROUND - 1, AHEAD))
    around = torch.nn.functional.max_pool1d(starts, AROUND + AHEAD, 1)[0]
    return torch.stack([(~active).double(), around], 1)


def draw_events(
    active: Bool[Tensor, " frames"], odds: Float[Tensor, " odds"], seed: int, stream: int, columns: int = 0
) -> tuple[list[int], Float[Tensor, "events columns"]]:
    """Frames of the events of a clip, and random numbers that belong to each.

    Args:
        active: frames that hold speech.
        odds: log odds at the knots, then what each context adds.
        seed: the take.
        stream: separates independent processes of one seed.
        columns: how many standard normal numbers to draw for each event.

    Returns:
        Frames in rising order, those of the warm-up as negative numbers; and the numbers.
    """
    return EventProcess(odds, seed, stream, columns).advance(active, last=True)


class EventProcess:
    """The events of a clip whose speech activity becomes known little by little; see `draw_events` for arguments."""

    def __init__(self, odds: Float[Tensor, " odds"], seed: int, stream: int, columns: int = 0) -> None:
        self.odds, self.seed, self.stream, self.columns = odds.double(), seed, stream, columns
        self._curve = (time_basis(torch.arange(1, LONGEST + 1).float()) @ self.odds[: len(KNOTS_S)]).tolist()
        self._since = LONGEST
        self._known, self._first = torch.zeros(WARM_UP, dtype=torch.bool), 0
        self._decided = 0

    def advance(
        self, active: Bool[Tensor, " frames"], *, last: bool = False
    ) -> tuple[list[int], Float[Tensor, "events columns"]]:
        """The events that are decided by more frames of activity, `AHEAD` frames later unless they are the last."""
        self._known = torch.cat([self._known, active])
        stop = max(self._first + len(self._known) - (0 if last else AHEAD), self._decided)
        noise = frame_noise(self.seed, self.stream, self._decided, stop, 1 + self.columns)
        added = contexts(self._known)[self._decided - self._first :][: len(noise)] @ self.odds[len(KNOTS_S) :]
        needed = (torch.logit(torch.special.ndtr(noise[:, 0].double())) - added).tolist()
        found = []
        for place, threshold in enumerate(needed):
            self._since = min(self._since + 1, LONGEST)
            if self._since > REFRACTORY and self._curve[self._since - 1] > threshold:
                found.append(place)
                self._since = 0
        frames = [self._decided + place - WARM_UP for place in found]
        self._decided = stop
        first = max(stop - QUIET - AROUND, self._first)  # what the next frames' contexts look back on
        self._known, self._first = self._known[first - self._first :], first
        return frames, noise[found, 1:]
