"""Recipe ``fd2talk``: both transformers of FD2Talk's motion stage.

declaim train fd2talk --corpus CORPUS -o RUN
declaim generate me.jpg hello.wav --weights RUN/weights
"""

from collections.abc import Mapping

from declaim.data.corpus import Corpus
from declaim.methods.fd2talk import FD2Talk, FD2TalkConfig, default, paper, tiny
from declaim.recipes.base import Settings
from declaim.recipes.motion import HELD_OUT, MotionData, MotionTask, prepare
from declaim.train.config import TrainConfig
from declaim.types import OnStep

CARD = """# FD2Talk motion stage

Two diffusion transformers (expression, head pose) from speech to motion in the face64 layout, {parameters} parameters.
Speech features: {encoder}, not part of these files. Licence: Apache-2.0.

{made}"""


class FD2TalkSettings(Settings):
    """All settings of the recipe."""

    method: FD2TalkConfig = FD2TalkConfig()
    """The networks, their losses and their sampling."""
    data: MotionData = MotionData()
    """What is learnt from."""


class FD2TalkRecipe:
    """Registered as ``fd2talk``."""

    name = "fd2talk"
    presets: Mapping[str, FD2TalkSettings] = {
        "default": FD2TalkSettings(method=default()),
        "held-out": FD2TalkSettings(
            train=TrainConfig(best_by="mouth_correlation"), method=default(), data=MotionData(hold_out=HELD_OUT)
        ),
        "tiny": FD2TalkSettings(
            train=TrainConfig(steps=6, batch_size=4, warmup=2, save_every=2, validate_every=3, log_every=1),
            method=tiny(),
            data=MotionData(tempos=(), takes=1, sync="none"),
        ),
        "paper": FD2TalkSettings(
            train=TrainConfig(steps=200_000, batch_size=64, learning_rate=1e-4, warmup=1000, save_every=2000,
                              validate_every=10_000, weight_decay=0.0, ema=0.9999, log_every=100),
            method=paper(),
            data=MotionData(tempos=(), clips_per_speaker=1_000_000),
        ),
    }  # fmt: skip

    def task(self, corpus: Corpus, settings: FD2TalkSettings, on_step: OnStep | None = None) -> MotionTask:
        """Read the clips, measure units, and make the networks."""
        material = prepare(corpus, settings.data, settings.method, on_step)
        method = FD2Talk(settings.method, material.measured.normalizer)
        return MotionTask(method, material, settings.data, seed=settings.train.seed, card=CARD)


RECIPE = FD2TalkRecipe()
