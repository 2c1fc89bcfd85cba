"""Several performances of one speech."""

from collections.abc import Iterator, Sequence
from typing import Any

from declaim.face.anatomy import lip_directions
from declaim.face.model import FaceModel
from declaim.motion.hearing import Hearing
from declaim.motion.mixed import part_of, with_lips
from declaim.types import Motion, OnStep, Spoken


def performances(
    method: Any,
    speech: Spoken,
    seeds: Sequence[int],
    *,
    same_lips: bool = False,
    on_step: OnStep | None = None,
    **options: Any,
) -> Iterator[Motion]:
    """One motion for every seed, made when it is asked for; the speech is encoded once.

    Args:
        method: a method, or a `MixedMethod`.
        speech: what is said.
        seeds: one for each take. A take is what its seed gives alone, bit for bit, but for ``same_lips``.
        same_lips: all takes have the first one's lips (see `with_lips`); head, eyes and the rest are each take's own.
        on_step: called with (frames done, frames in all) of all takes together.
        options: of the method's ``generate``.
    """
    if len(seeds) == 1:
        yield method.generate(speech, seed=seeds[0], on_step=on_step, **options)
        return
    hearing, first = Hearing(), None
    basis = lip_directions(FaceModel.from_pretrained()) if same_lips else None
    for number, seed in enumerate(seeds):
        step = part_of(on_step, number, len(seeds))
        take = hearing.generate(method, speech, seed=seed, on_step=step, **options)
        if first is None:
            first = take
        elif basis is not None:
            take = with_lips(take, first, basis)
        yield take
