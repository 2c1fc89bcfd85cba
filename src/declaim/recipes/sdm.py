"""Recipe ``sdm``: branches, reverse process and boundary predictor of the Shallow Diffusion Motion Model.

declaim train sdm --corpus CORPUS -o RUN
declaim generate me.jpg hello.wav --method sdm --weights RUN/weights
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from declaim.data.corpus import Corpus
from declaim.methods.sdm import SDM, SDMConfig, default, paper, tiny
from declaim.recipes.base import Settings
from declaim.recipes.motion import HELD_OUT, TINY, MotionData, MotionTask, prepare
from declaim.train.config import TrainConfig
from declaim.types import OnStep

CARD = """# Shallow Diffusion Motion Model

Pose modes and rhythm from speech, refined by shallow diffusion, in the face64 layout, {parameters} parameters.
Speech features: {encoder}, not part of these files. Licence: Apache-2.0.

{made}"""

BOUNDARY_ROWS = 64
"""Training sequences on which the start of the reverse process is chosen."""


class SDMSettings(Settings):
    """All settings of the recipe."""

    method: SDMConfig = SDMConfig()
    """The networks, their losses and their sampling."""
    data: MotionData = MotionData()
    """What is learnt from."""


class SDMTask(MotionTask):
    """Training of the networks; in the end the boundary predictor chooses where the reverse process starts."""

    def save(self, module: nn.Module, folder: Any, card: str) -> None:
        """Choose the start, unless the settings name it, bring heads to people's speed, and write a folder."""
        assert isinstance(module, SDM)
        if module.config.shallow and module.config.start_step is None:
            module.config = module.config.model_copy(update={"start_step": self.predicted_start(module)})
        super().save(module, folder, card)

    def predicted_start(self, module: SDM) -> int:
        """The step that the boundary predictor names, the mean over some training sequences."""
        batch = self.batch(0, range(BOUNDARY_ROWS))
        return round(module.predicted_start(batch["features"], batch["target"], torch.arange(BOUNDARY_ROWS)))


def ablation(**changed: Any) -> SDMSettings:
    """The default settings with one thing changed, as in the paper's Fig. 3."""
    return SDMSettings(method=default().model_copy(update=changed))


class SDMRecipe:
    """Registered as ``sdm``."""

    name = "sdm"
    presets: Mapping[str, SDMSettings] = {
        "default": SDMSettings(method=default()),
        "held-out": SDMSettings(
            train=TrainConfig(best_by="mouth_correlation"), method=default(), data=MotionData(hold_out=HELD_OUT)
        ),
        "tiny": SDMSettings(train=TINY, method=tiny(), data=MotionData(tempos=(), takes=1, sync="none")),
        "ablation-no-pose": ablation(pose=None),
        "ablation-no-rhythm": ablation(rhythm=None),
        "ablation-no-shallow": ablation(shallow=False, sampling_steps=5),
        "printed-independence": ablation(independence="printed"),
        # Section 4.1 gives Adam, its rate and its decays; batch, steps and averaging are ours.
        "paper": SDMSettings(
            train=TrainConfig(steps=200_000, batch_size=64, learning_rate=2e-4, betas=(0.4, 0.999), warmup=1000,
                              save_every=2000, validate_every=10_000, weight_decay=0.0, ema=0.9999, log_every=100),
            method=paper(),
            data=MotionData(tempos=(), clips_per_speaker=1_000_000),
        ),
    }  # fmt: skip

    def task(self, corpus: Corpus, settings: SDMSettings, on_step: OnStep | None = None) -> SDMTask:
        """Read the clips, measure units, and make the networks."""
        material = prepare(corpus, settings.data, settings.method, on_step)
        method = SDM(settings.method, material.measured.normalizer)
        return SDMTask(method, material, settings.data, seed=settings.train.seed, card=CARD)


RECIPE = SDMRecipe()
