"""What methods hear of a speech, kept for their next take: a speech is encoded once."""

from typing import Any
from weakref import WeakKeyDictionary

from jaxtyping import Float
from torch import Tensor

from declaim.audio.activity import speech_activity
from declaim.types import Motion, Spoken


class Hearing:
    """Generates motion and keeps the features of every speech for as long as somebody else holds that speech.

    Features of an hour take 280 MB (772 numbers a frame): for a single take use the method itself, which needs no more
    of them than a window.
    """

    def __init__(self) -> None:
        self._features: WeakKeyDictionary[Spoken, dict[str, Float[Tensor, "frames features"]]] = WeakKeyDictionary()

    def generate(self, method: Any, speech: Spoken, **options: Any) -> Motion:
        """What ``method.generate`` gives, bit for bit; methods with one encoder share its features.

        Args:
            method: any method; one without ``generate_from_features`` hears the speech itself, every time.
            speech: the speech.
            options: of the method's ``generate``.
        """
        if not hasattr(method, "generate_from_features"):
            return method.generate(speech, **options)
        active = speech_activity(speech)
        known = self._features.setdefault(speech, {})
        name = method.encoder.name
        if name not in known:
            known[name] = method.encoder.encode(speech)
        return method.generate_from_features([known[name]], speech.n_frames, active=active, **options)
