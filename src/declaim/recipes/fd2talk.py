"""Recipe ``fd2talk``: both transformers of FD2Talk's motion stage.

declaim train fd2talk --corpus CORPUS -o RUN
declaim generate me.jpg hello.wav --weights RUN/weights
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Int64
from torch import Tensor, nn

from declaim.data.corpus import Corpus
from declaim.errors import ConfigError
from declaim.methods.fd2talk import DenoiserConfig, FD2Talk, FD2TalkConfig, default, paper, tiny
from declaim.recipes.base import Settings
from declaim.recipes.motion import HELD_OUT, TINY, MotionData, MotionTask, Prepared, prepare
from declaim.sync.expert import SyncExpert
from declaim.train.config import TrainConfig
from declaim.types import OnStep

SHIPPED = "shipped"
"""The lip expert that comes with declaim."""

CARD = """# FD2Talk motion stage

Two diffusion transformers (expression, head pose) from speech to motion in the face64 layout, {parameters} parameters.
Speech features: {encoder}, not part of these files. Licence: Apache-2.0.

{made}"""


class FD2TalkData(MotionData):
    """What is learnt from, and who corrects the lips."""

    lip_expert: str = SHIPPED
    """The lip expert, if ``method.sync_weight`` asks for one: ``shipped``, or a folder of weights that
    ``declaim train sync-expert`` made for the method's encoder."""


class FD2TalkSettings(Settings):
    """All settings of the recipe."""

    method: FD2TalkConfig = FD2TalkConfig()
    """The networks, their losses and their sampling."""
    data: FD2TalkData = FD2TalkData()
    """What is learnt from, and who corrects the lips."""


class FD2TalkTask(MotionTask):
    """Training of the motion stage; the lip expert (none: no sync loss) judges it and is not saved with it."""

    def __init__(
        self, module: FD2Talk, material: Prepared, data: MotionData, *, seed: int, card: str, expert: SyncExpert | None
    ) -> None:
        super().__init__(module, material, data, seed=seed, card=card)
        self._expert = expert

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """The method's own losses, the sync loss among them."""
        assert isinstance(module, FD2Talk)
        features = batch["features"]
        expert = None if self._expert is None else self._expert.to(features.device)
        return module.loss(features, batch["target"], batch["mask"], batch["pose_mask"], seeds, expert=expert)


def lip_expert(settings: FD2TalkSettings) -> SyncExpert | None:
    """The frozen lip expert that the settings ask for; None if the sync loss has no weight.

    Raises:
        ConfigError: it hears other features than the method, or needs longer sequences.
        CheckpointError: the folder holds no sync expert.
    """
    method, where = settings.method, settings.data.lip_expert
    if method.sync_weight == 0.0:
        return None
    expert = SyncExpert.from_pretrained(None if where == SHIPPED else Path(where))
    if (expert.config.encoder, expert.config.speech_dim) != (method.encoder, method.speech_dim):
        raise ConfigError(
            f"the lip expert ({where}) hears {expert.config.encoder}, the method {method.encoder}; train one for it "
            f"(declaim train sync-expert --set network.encoder={method.encoder} "
            f"--set network.speech_dim={method.speech_dim}) and name it (--set data.lip_expert=RUN/weights), or do "
            "without (--set method.sync_weight=0)"
        )
    if method.frames < expert.window:
        raise ConfigError(
            f"method.frames is {method.frames}, fewer than the {expert.window} that the lip expert judges at once; "
            "make them more"
        )
    return expert


def ablation(**changed: Any) -> FD2TalkSettings:
    """The default settings with one thing changed, as in the paper's Tables 2 and 3."""
    return FD2TalkSettings(method=default().model_copy(update=changed))


class FD2TalkRecipe:
    """Registered as ``fd2talk``."""

    name = "fd2talk"
    presets: Mapping[str, FD2TalkSettings] = {
        "default": FD2TalkSettings(method=default()),
        "held-out": FD2TalkSettings(
            train=TrainConfig(best_by="mouth_correlation"), method=default(), data=FD2TalkData(hold_out=HELD_OUT)
        ),
        "tiny": FD2TalkSettings(
            train=TINY,
            method=tiny(),
            data=FD2TalkData(tempos=(), takes=1, sync="none"),
        ),
        # Tables 2 and 3. 144 wide, one transformer has 1,510,798 parameters; the two of the default have 1,503,094.
        "ablation-joint": ablation(joint=True, expression=DenoiserConfig(dim=144)),
        "ablation-no-mask": ablation(band=None),
        "ablation-no-lip-expert": ablation(sync_weight=0.0),
        # Section 4.1 gives the batch of 1 (times its GPUs) and Adam; rate, steps and averaging are ours.
        "paper": FD2TalkSettings(
            train=TrainConfig(steps=200_000, batch_size=1, learning_rate=1e-4, warmup=1000, save_every=2000,
                              validate_every=10_000, weight_decay=0.0, ema=0.9999, log_every=100),
            method=paper(),
            data=FD2TalkData(tempos=(), clips_per_speaker=1_000_000),
        ),
    }  # fmt: skip

    def task(self, corpus: Corpus, settings: FD2TalkSettings, on_step: OnStep | None = None) -> FD2TalkTask:
        """Read the clips, measure units, and make the networks."""
        expert = lip_expert(settings)
        material = prepare(corpus, settings.data, settings.method, on_step)
        method = FD2Talk(settings.method, material.measured.normalizer)
        return FD2TalkTask(method, material, settings.data, seed=settings.train.seed, card=CARD, expert=expert)


RECIPE = FD2TalkRecipe()
