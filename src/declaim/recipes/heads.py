"""Recipe ``heads``: a trained method's heads brought to people's speeds once more, without training it.

declaim train heads --corpus CORPUS -o RUN --set method=a2v-prior
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from declaim.data.corpus import Corpus
from declaim.errors import ConfigError
from declaim.motion.calibrate import calibrated_pose, speed_of_people
from declaim.motion.casting import Role
from declaim.motion.method import MotionMethod
from declaim.motion.spectrum import HeadSpeed
from declaim.recipes.base import Section
from declaim.recipes.motion import Clip, MotionData, Prepared, prepare
from declaim.types import Motion, OnStep

SHIPPED = "shipped"
"""The weights that come with declaim."""

SEEDS = 6
"""Takes of every clip."""

CARD = """# Heads of {method} brought to people's speeds

Weights as in {weights}; head filter and contrast measured anew (`declaim.motion.calibrate`).

{made}"""


class HeadsSettings(Section):
    """All settings of the recipe."""

    method: str = "fd2talk"
    """The method."""
    weights: str = SHIPPED
    """Its weights: ``shipped``, or a folder."""
    data: MotionData = MotionData(tempos=(), sync="none")
    """People to be like: the first clip of every speaker whose head a training would learn from."""


class HeadsFit:
    """The fit, see `declaim.recipes.base.Fit`.

    Args:
        method: trained.
        material: people.
        card: the model card, with ``{made}``.
    """

    def __init__(self, method: MotionMethod[Any], material: Prepared, card: str) -> None:
        self.method, self.clips = method, material.records
        self._material, self._card = material, card

    def fit(self, on_step: OnStep | None = None) -> None:
        """Solve it."""
        clips, method, made = self._material.moving(), self.method, 0

        def take(clip: Clip, seed: int) -> Motion:
            nonlocal made
            made += 1
            if on_step:
                on_step(made, len(clips) * SEEDS)
            return self._take(clip, seed)

        method.normalizer = calibrated_pose(method, method.normalizer, clips, take=take, seeds=SEEDS)

    def validate(self) -> dict[str, float]:
        """Median and fastest tenth of the head's speed against people's, on the first clip of each held-out speaker."""
        firsts = list({clip.speaker: clip for clip in reversed(self._material.held)}.values())
        if not firsts:
            return {}
        people = speed_of_people(firsts)
        made = HeadSpeed.mean(
            [self._take(clip, SEEDS * i + k)["rotation"] for i, clip in enumerate(firsts) for k in range(SEEDS)]
        )
        return {
            "head_speed_median": float(made.median / people.median),
            "head_speed_p90": float(made.fastest / people.fastest),
        }

    def _take(self, clip: Clip, seed: int) -> Motion:
        return self.method.generate_from_features([clip.features], len(clip.features), seed=seed)

    def save(self, folder: Path, card: str) -> None:
        """Write a folder for ``--weights``."""
        self.method.save_pretrained(folder, self._card.format(made=card))


class HeadsRecipe:
    """Registered as ``heads``."""

    name = "heads"
    presets: Mapping[str, HeadsSettings] = {"default": HeadsSettings(), "tiny": HeadsSettings()}

    def task(self, corpus: Corpus, settings: HeadsSettings, on_step: OnStep | None = None) -> HeadsFit:
        """Load the method and read the clips.

        Raises:
            CheckpointError: the weights are missing or another method's.
            ConfigError: no such method, none with weights, or the corpus lacks features for it.
        """
        folder = None if settings.weights == SHIPPED else Path(settings.weights)
        method = Role(settings.method, folder, "--set weights=FOLDER").load()
        if not isinstance(method, MotionMethod):
            raise ConfigError(
                f"the recipe heads changes methods of declaim.motion, and {settings.method} is another kind; name one "
                "of those (--set method=fd2talk)"
            )
        material = prepare(corpus, settings.data, method.config, on_step)
        weights = SHIPPED if folder is None else folder.resolve().name
        return HeadsFit(method, material, CARD.replace("{method}", settings.method).replace("{weights}", weights))


RECIPE = HeadsRecipe()
