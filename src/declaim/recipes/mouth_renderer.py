"""Recipe ``mouth-renderer``: the network that draws mouths into the mesh renderer's frames.

declaim train mouth-renderer --corpus CORPUS -o RUN
declaim train mouth-renderer --preset held-out --corpus CORPUS -o RUN
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from declaim.data.corpus import ClipRecord, Corpus
from declaim.face.model import FaceModel
from declaim.metrics.extractors import VGG16Features
from declaim.recipes.base import Section, Settings
from declaim.recipes.motion import HELD_OUT, TINY
from declaim.recipes.pair_patches import PatchSampler, perceptual_distance
from declaim.recipes.pairs import PairChanges, PairsData, read_pairs, spread, with_pictures
from declaim.render.mouth.config import MouthNetworkConfig, default, tiny
from declaim.render.mouth.network import MouthNetwork
from declaim.render.mouth.objective import colour_loss, perceptual_loss
from declaim.render.patches import crop
from declaim.train.config import TrainConfig
from declaim.types import OnStep

CARD = """# Mouth renderer

Draws lips, teeth and what is around them into frames of the mesh renderer; {parameters} parameters.
Licence: Apache-2.0.

{made}"""

JUDGED = 24
"""Pairs of a held-out speaker that are looked at in a validation."""


class MouthLosses(Section):
    """What the network minimises."""

    mouth: float = Field(4.0, ge=0)
    """How much more colours count between the lips."""
    perceptual: float = Field(0.8, ge=0)
    """Weight of what VGG16 sees (the asset vgg16-hed); 0: colours alone."""
    blocks: int = Field(3, ge=1, le=5)
    """Its first blocks that are compared."""
    around: float = Field(0.67, gt=0, le=1)
    """Share of the patch's side, around the lips, that it sees."""


class MouthSettings(Settings):
    """All settings of the recipe."""

    network: MouthNetworkConfig = MouthNetworkConfig()
    """The network."""
    data: PairsData = PairsData()
    """What is learnt from."""
    changes: PairChanges = PairChanges(portrait=0.1)
    """How pictures are changed."""
    losses: MouthLosses = MouthLosses()
    """What is minimised."""


class MouthTask:
    """Training of the network.

    Args:
        module: the network.
        sampler: draws rows.
        held: rows for validation, by speaker.
        settings: of the recipe.
        clips: records of the corpus that are learnt from.
    """

    def __init__(
        self,
        module: MouthNetwork,
        sampler: PatchSampler,
        held: Mapping[str, Mapping[str, Tensor]],
        settings: MouthSettings,
        clips: Sequence[ClipRecord],
    ) -> None:
        self.module: nn.Module = module
        self.clips = clips
        self._sampler, self._held, self._settings = sampler, held, settings
        self._features = VGG16Features.from_pretrained() if settings.losses.perceptual else None

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Changed patches."""
        return self._sampler.batch(number, rows)

    def names(self, number: int, rows: range) -> list[str]:
        """The clips that the rows come from."""
        return self._sampler.pairs.names(number, rows)

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """Colours, most of all between the lips, and what VGG16 sees there."""
        asked = self._settings.losses
        drawn, target = _draw(module, batch), batch["target"]
        weights = (1 + asked.mouth * batch["mouth"]) * batch["shown"]
        found = {"colour": colour_loss(drawn, target, weights).mean()}
        if self._features is not None:
            seen = [crop(pictures, asked.around, self._settings.network.above) for pictures in (drawn, target)]
            found["perceptual"] = asked.perceptual * perceptual_loss(seen[0], seen[1], self._maps(drawn)).mean()
        return {**found, "total": torch.stack(list(found.values())).sum()}

    def _maps(self, like: Tensor) -> Callable[[Tensor], list[Tensor]]:
        assert self._features is not None
        features, blocks = self._features.to(like.device), self._settings.losses.blocks
        return lambda pictures: features.maps(pictures, blocks)

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """On held-out speakers, each counting the same, for the mesh renderer's guide and for what is drawn.

        PSNR between the lips (dB), the perceptual distance around them (as in `declaim evaluate`), and sharpness there
        (the gradients' mean length, relative to the true picture's: 1 is right).
        """
        found: dict[str, list[float]] = defaultdict(list)
        device = next(module.parameters()).device
        for rows in self._held.values():
            drawn = _draw(module, {n: t.to(device) for n, t in rows.items()}).cpu().clamp(0, 1)
            for name, patches in (("guide", rows["guide"]), ("drawn", drawn)):
                for figure, value in self._figures(patches, rows).items():
                    found[f"{figure}_{name}"].append(value)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def _figures(self, patches: Tensor, rows: Mapping[str, Tensor]) -> dict[str, float]:
        target, mouth = rows["target"], rows["mouth"]
        squares = ((patches - target).square().mean(1) * mouth).sum((1, 2)) / mouth.sum((1, 2))
        found = {
            "psnr": float((-10 * squares.clamp(min=1e-8).log10()).mean()),
            "sharpness": float(
                (_gradients(patches) * mouth).sum() / (_gradients(target) * mouth).sum().clamp(min=1e-6)
            ),
        }
        if self._features is not None:
            asked, above = self._settings.losses, self._settings.network.above
            near = [crop(pictures, asked.around, above) for pictures in (patches, target)]
            found["perceptual"] = perceptual_distance(self._features.cpu(), *near)
        return found

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Write a folder that ``MouthNetwork.from_pretrained`` reads."""
        assert isinstance(module, MouthNetwork)
        parameters = f"{sum(p.numel() for p in module.parameters()):,}"
        module.save_pretrained(folder, CARD.format(parameters=parameters, made=card))


DATA = PairsData(references=3, targets=48)
BASE = MouthSettings(
    train=TrainConfig(steps=1200, batch_size=16, learning_rate=1e-3, weight_decay=0.01, ema=0.99),
    network=default(),
    data=DATA,
)


class MouthRecipe:
    """Registered as ``mouth-renderer``."""

    name = "mouth-renderer"
    presets: Mapping[str, MouthSettings] = {
        "default": BASE,
        "held-out": BASE.model_copy(update={"data": DATA.model_copy(update={"hold_out": HELD_OUT})}),
        "tiny": MouthSettings(
            train=TINY,
            network=tiny(),
            data=PairsData(clips_per_speaker=1, references=1, targets=4),
            losses=MouthLosses(perceptual=0.0),
        ),
    }

    def task(self, corpus: Corpus, settings: MouthSettings, on_step: OnStep | None = None) -> MouthTask:
        """Make or read the pairs, and the network.

        Raises:
            ConfigError: the corpus has no pictures to learn from.
            AssetError: the asset vgg16-hed is asked for and not on this machine.
        """
        model, (learnt, held) = FaceModel.from_pretrained(), with_pictures(corpus, settings.data)
        total = len(learnt) + len(held)
        pairs = read_pairs(corpus, learnt, settings.data, _shifted(on_step, 0, total))
        sampler = PatchSampler(pairs, model, settings.network.view, settings.changes, settings.train.seed)
        rows: dict[str, Mapping[str, Tensor]] = {}
        if held:
            judged = read_pairs(corpus, held, settings.data, _shifted(on_step, len(learnt), total))
            plain = PatchSampler(judged, model, settings.network.view, settings.changes, settings.train.seed)
            names = judged.speaker
            for speaker in sorted(set(names)):
                rows[speaker] = plain.plain(spread([i for i, name in enumerate(names) if name == speaker], JUDGED))
        return MouthTask(MouthNetwork(settings.network), sampler, rows, settings, learnt)


RECIPE = MouthRecipe()


def _shifted(on_step: OnStep | None, before: int, total: int) -> OnStep | None:
    return None if on_step is None else lambda done, _: on_step(before + done, total)


def _draw(module: nn.Module, rows: Mapping[str, Tensor]) -> Float[Tensor, "rows 3 side side"]:
    drawn: Tensor = module(rows["guide"], rows["portrait"], rows["coefficients"], rows["own"])
    return torch.lerp(rows["guide"], drawn, rows["shown"][:, None])


def _gradients(patches: Float[Tensor, "rows 3 side side"]) -> Float[Tensor, "rows side side"]:
    gray = patches.mean(1)
    down, right = torch.zeros_like(gray), torch.zeros_like(gray)
    down[:, :-1], right[:, :, :-1] = gray.diff(dim=1), gray.diff(dim=2)
    return (down.square() + right.square()).sqrt()
