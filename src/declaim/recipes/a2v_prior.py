"""Recipe ``a2v-prior``: lip space, non-lip space and prior of the probabilistic audio-to-visual method.

declaim train a2v-prior --corpus CORPUS -o RUN
declaim generate me.jpg hello.wav --method a2v-prior --weights RUN/weights
"""

from collections.abc import Mapping

from declaim.data.corpus import Corpus
from declaim.methods.a2v_prior import A2VPriorConfig, AudioToVisualPrior, autoregressive, default, tiny
from declaim.recipes.base import Settings
from declaim.recipes.motion import HELD_OUT, TINY, MotionData, MotionTask, prepare
from declaim.train.config import TrainConfig
from declaim.types import OnStep

CARD = """# Probabilistic audio-to-visual prior

Lips through a space shared with speech, everything else from a diffusion prior, in the face64 layout,
{parameters} parameters.
Speech features: {encoder}, not part of these files. Licence: Apache-2.0.

{made}"""


class A2VPriorSettings(Settings):
    """All settings of the recipe."""

    method: A2VPriorConfig = A2VPriorConfig()
    """The networks, their losses and their sampling."""
    data: MotionData = MotionData()
    """What is learnt from."""


class A2VPriorRecipe:
    """Registered as ``a2v-prior``."""

    name = "a2v-prior"
    presets: Mapping[str, A2VPriorSettings] = {
        "default": A2VPriorSettings(method=default()),
        "autoregressive": A2VPriorSettings(method=autoregressive()),
        "held-out": A2VPriorSettings(
            train=TrainConfig(best_by="mouth_correlation"), method=default(), data=MotionData(hold_out=HELD_OUT)
        ),
        "tiny": A2VPriorSettings(
            train=TINY,
            method=tiny(),
            data=MotionData(tempos=(), takes=1, sync="none"),
        ),
    }

    def task(self, corpus: Corpus, settings: A2VPriorSettings, on_step: OnStep | None = None) -> MotionTask:
        """Read the clips, measure units, and make the networks."""
        material = prepare(corpus, settings.data, settings.method, on_step)
        method = AudioToVisualPrior(settings.method, material.measured.normalizer)
        return MotionTask(method, material, settings.data, seed=settings.train.seed, card=CARD)


RECIPE = A2VPriorRecipe()
