"""Recipe ``latent-renderer``: the diffusion UNet that draws frames in an autoencoder's latent space.

declaim train latent-autoencoder --corpus CORPUS -o RUN
declaim train latent-renderer --corpus CORPUS --set data.autoencoder=RUN/weights -o RUN2
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from pydantic import Field
from torch import Tensor, nn

from declaim.data.corpus import ClipRecord, Corpus
from declaim.diffusion.noise import row_generators, row_noise
from declaim.diffusion.parameterization import q_sample
from declaim.errors import ConfigError
from declaim.face.model import FaceModel
from declaim.metrics.functional.image import psnr
from declaim.recipes.base import Section, Settings
from declaim.recipes.latent_material import LatentPairs, encode_pairs, opening
from declaim.recipes.motion import HELD_OUT, TINY
from declaim.recipes.pairs import PairChanges, PairSampler, PairsData, read_pairs, with_pictures
from declaim.render.latent.autoencoder import Autoencoder, from_bytes, to_bytes
from declaim.render.latent.config import LatentConfig, UNetConfig, default, paper, tiny
from declaim.render.latent.mask import region_mask
from declaim.render.latent.networks import TRAIN_AUTOENCODER, LatentNetworks, load_autoencoder
from declaim.render.latent.objective import frame_loss
from declaim.render.latent.sampling import FrameSampler
from declaim.render.latent.unet import Conditions
from declaim.train.config import TrainConfig
from declaim.types import OnStep

CARD = """# Latent renderer

FD2Talk's frame stage: {autoencoder} parameters between pictures and latents, {unet} in the diffusion UNet{guide}.
Licence: Apache-2.0.

{made}"""


class LatentData(PairsData):
    """What is learnt from."""

    autoencoder: str = ""
    """Folder of an autoencoder's weights, made by the recipe latent-autoencoder."""
    pairs: int = Field(4000, gt=0)
    """Most pairs that are encoded, spread over all of them: 40 ms and 130 kB each on one core."""


class LatentObjective(Section):
    """How the UNet learns."""

    shallow: float = Field(0.5, ge=0, le=1)
    """Share of the rows noised to no more than ``network.start``, where sampling happens; the others to any step."""
    # Deviation: the paper has no guide.
    from_guide: float = Field(0.5, ge=0, le=1)
    """Share of the rows in which the guide, not the true frame, is noised to between half of ``network.start`` and all
    of it: what sampling begins with."""
    mouth: float = Field(4.0, ge=0)
    """Extra weight of the mouth's places; 0 as in the paper."""


class LatentSettings(Settings):
    """All settings of the recipe."""

    network: LatentConfig = LatentConfig()
    """The UNet and its process; the autoencoder's sizes are taken from its folder."""
    data: LatentData = LatentData()
    """What is learnt from."""
    changes: PairChanges = PairChanges()
    """How pictures are changed in their mirrored version."""
    objective: LatentObjective = LatentObjective()
    """How the UNet learns."""
    judged: int = Field(32, gt=0)
    """Pairs of held-out speakers that a validation draws."""


class LatentTask:
    """Training of the UNet; the autoencoder stays as it is.

    Args:
        networks: both.
        learnt: latents to learn from.
        held: latents for validation, if any.
        settings: of the recipe.
        clips: records of the corpus that are learnt from.
    """

    def __init__(
        self, networks: LatentNetworks, learnt: LatentPairs, held: LatentPairs | None, settings: LatentSettings,
        clips: Sequence[ClipRecord],
    ) -> None:  # fmt: skip
        self.module: nn.Module = networks
        self.clips = clips
        self._learnt, self._held, self._settings = learnt, held, settings
        self._schedule = FrameSampler(networks.config, networks.unet).schedule

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Latents and coefficients of pairs, half of them mirrored."""
        made = [self._learnt.row(*self._learnt.choose(number, row)) for row in rows]
        return {name: torch.stack([one[name] for one in made]) for name in made[0]}

    def names(self, number: int, rows: range) -> list[str]:
        """The clips that the rows come from."""
        pairs = self._learnt.sampler.pairs
        numbers = [self._learnt.chosen[self._learnt.choose(number, row)[1]] for row in rows]
        return [pairs.clip[int(pairs.of[i])] for i in numbers]

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """Eq. 16."""
        assert isinstance(module, LatentNetworks)
        target, guide = batch["target"], batch["guide"]
        steps, guided = self._noising(module.config, seeds)
        start = torch.where(guided[:, None, None, None].to(target.device), guide, target)
        eps = row_noise(seeds, *target.shape[1:], stream=1).to(target.device)
        levels = self._schedule.alpha_bar[steps][:, None, None, None].to(target.device)
        noisy = q_sample(start, eps, levels)
        conditions = Conditions(
            batch["coefficients"], batch["reference"], guide if module.config.unet.guide else None
        )  # fmt: skip
        estimate = module.unet(noisy, steps.to(target.device), conditions)
        weight = 1.0 + self._settings.objective.mouth * batch["mouth"]
        return {
            "total": frame_loss(target, estimate, weight),
            "plain": frame_loss(target, estimate).detach(),
            "of_guide": frame_loss(target, guide, weight),
        }

    def _noising(self, config: LatentConfig, seeds: Int64[Tensor, " rows"]) -> tuple[Tensor, Tensor]:
        """The diffusion step of every row, and whether its guide is noised."""
        wanted, start = self._settings.objective, config.start
        drawn = torch.stack([torch.rand(2, generator=generator) for generator in row_generators(seeds)]).double()
        anywhere = drawn[:, 1] * config.diffusion_steps
        if start is None:
            return anywhere.long(), torch.zeros(len(seeds), dtype=torch.bool)
        guided = drawn[:, 0] < wanted.from_guide
        shallow = ~guided & (drawn[:, 0] < wanted.from_guide + (1 - wanted.from_guide) * wanted.shallow)
        near = torch.where(guided, 0.5 + 0.5 * drawn[:, 1], drawn[:, 1]) * (start + 1)
        return torch.where(guided | shallow, near, anywhere).long(), guided

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """On held-out speakers: errors of latents; PSNR in the square and inside the mouth, its own and the guide's.

        ``unchanged`` is what the autoencoder alone makes of the guide, ``decoded`` the network without the guide's
        detail.
        """
        assert isinstance(module, LatentNetworks)
        if self._held is None:
            return {}
        sampler = FrameSampler(module.config, module.unet)
        rows = [self._judge(module, sampler, self._held, place) for place in range(len(self._held.of))]
        names = sorted({name for row in rows for name in row})
        return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}

    def _judge(self, module: LatentNetworks, sampler: FrameSampler, held: LatentPairs, place: int) -> dict[str, float]:
        """Figures of one pair."""
        noise = sampler.noise(0).to(module.autoencoder.latent_mean.device)
        row = {name: value[None].to(noise.device) for name, value in held.row(0, place).items()}
        guide = row["guide"] if module.config.unet.guide else None
        drawn = sampler(Conditions(row["coefficients"], row["reference"], guide), noise)
        pairs, number = held.sampler.pairs, held.chosen[place]
        weight = 1.0 + self._settings.objective.mouth * row["mouth"]
        truth = pairs.target[number]
        found = {
            "latent": float(frame_loss(row["target"], drawn, weight)),
            "guide_latent": float(frame_loss(row["target"], row["guide"], weight)),
        }
        if module.config.side != len(truth):
            return found
        shown = from_bytes(torch.from_numpy(pairs.guide[number])[None]).to(noise.device)
        mask = region_mask(pairs.guide_points[number].numpy(), module.config.side, "lips")
        lips = torch.from_numpy(mask)[None, None].to(noise.device)
        output = module.pictures(row["reference"], drawn, guide, shown, lips)
        decoded = module.autoencoder.pictures(row["reference"], drawn)
        inside = opening(pairs.points[number].numpy()) > 0
        pictures = {"guide_psnr": pairs.guide[number]}
        made = {"psnr": output, "decoded_psnr": decoded}
        if guide is not None:  # what the autoencoder alone does to the guide
            made["unchanged_psnr"] = module.pictures(row["reference"], guide, guide, shown, lips)
        for name, picture in made.items():
            pictures[name] = to_bytes(picture)[0].cpu().numpy()
        for name, seen in pictures.items():
            found |= {name: psnr(seen, truth), f"mouth_{name}": psnr(seen[inside], truth[inside])}
        return found

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Write a folder that ``LatentNetworks.from_pretrained`` reads."""
        assert isinstance(module, LatentNetworks)
        sizes = [sum(p.numel() for p in part.parameters()) for part in (module.autoencoder, module.unet)]
        guide = ", guided by the mesh renderer" if module.config.unet.guide else ""
        text = CARD.format(autoencoder=f"{sizes[0]:,}", unet=f"{sizes[1]:,}", guide=guide, made=card)
        module.save_pretrained(folder, text)


TRAIN = TrainConfig(steps=1500, batch_size=16, learning_rate=1e-3, weight_decay=0.01, ema=0.995, validate_every=250)
BASE = LatentSettings(train=TRAIN, network=default())
HELD = BASE.model_copy(update={"data": LatentData(hold_out=HELD_OUT)})
FEW = TRAIN.model_copy(update={"steps": 500})
"""Enough to compare the ablations of table 2 with three seeds (train.seed=0, 1, 2)."""


def _ablation(**unet: object) -> LatentSettings:
    """The default with some of the UNet's settings changed; without a guide the process starts from noise."""
    changed = UNetConfig.model_validate(BASE.network.unet.model_dump() | unet)
    process = {} if changed.guide else {"start": None, "sampling_steps": 20, "detail": False}
    network = LatentConfig.model_validate(BASE.network.model_dump() | {"unet": changed.model_dump()} | process)
    return HELD.model_copy(update={"train": FEW, "network": network})


class LatentRecipe:
    """Registered as ``latent-renderer``."""

    name = "latent-renderer"
    presets: Mapping[str, LatentSettings] = {
        "default": BASE,
        "held-out": HELD,
        "tiny": LatentSettings(train=TINY, network=tiny(), data=LatentData(references=1, targets=3, pairs=8), judged=2),
        "paper": LatentSettings(
            train=TrainConfig(steps=200_000, batch_size=32, learning_rate=1e-4, validate_every=5000, save_every=5000),
            network=paper(),
            objective=LatentObjective(shallow=0.0, from_guide=0.0, mouth=0.0),
        ),
        "ablation": _ablation(),
        "ablation-concat": _ablation(conditions="concat"),
        "ablation-no-guide": _ablation(guide=False),
        "ablation-concat-no-guide": _ablation(conditions="concat", guide=False),
    }

    def task(self, corpus: Corpus, settings: LatentSettings, on_step: OnStep | None = None) -> LatentTask:
        """Read or make the pairs, encode them, and make the network.

        Raises:
            ConfigError: no autoencoder's weights are named.
        """
        data, model = settings.data, FaceModel.from_pretrained()
        autoencoder = _autoencoder(settings)
        network = settings.network.model_copy(update={"autoencoder": autoencoder.config})
        network = LatentConfig.model_validate(network.model_dump())
        learnt, kept = with_pictures(corpus, data)
        pairs = read_pairs(corpus, learnt, data, on_step)
        sampler = PairSampler(pairs, model, settings.changes, settings.train.seed)
        latents = encode_pairs(sampler, autoencoder, network.side, data.pairs, on_step)
        held = None
        if kept:
            own = PairSampler(read_pairs(corpus, kept, data, on_step), model, settings.changes, settings.train.seed)
            held = encode_pairs(own, autoencoder, network.side, settings.judged)
        networks = LatentNetworks(network, autoencoder)
        networks.unet.measure(latents.coefficients.flatten(0, 1))
        return LatentTask(networks, latents, held, settings, learnt)


RECIPE = LatentRecipe()


def _autoencoder(settings: LatentSettings) -> Autoencoder:
    """The autoencoder that is named; a new one for the smallest sizes."""
    if settings.data.autoencoder:
        return load_autoencoder(Path(settings.data.autoencoder)).requires_grad_(False)
    if settings.network == tiny():
        return Autoencoder(settings.network.autoencoder).eval().requires_grad_(False)
    raise ConfigError(
        f"no autoencoder is named; make one with: {TRAIN_AUTOENCODER}, and name it: --set data.autoencoder=RUN/weights"
    )
