"""Recipe ``latent-renderer``: the diffusion UNet that draws frames in an autoencoder's latent space.

declaim train latent-autoencoder --corpus CORPUS -o RUN
declaim train latent-renderer --corpus CORPUS --set data.autoencoder=RUN/weights -o RUN2
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from declaim.data.corpus import ClipRecord, Corpus
from declaim.diffusion.noise import row_generators, row_noise
from declaim.diffusion.parameterization import q_sample
from declaim.errors import ConfigError
from declaim.face.model import FaceModel
from declaim.metrics.extractors import VGG16Features
from declaim.recipes.base import Section, Settings
from declaim.recipes.motion import HELD_OUT, TINY
from declaim.recipes.pair_patches import PatchSampler, perceptual_distance
from declaim.recipes.pairs import PairChanges, PairsData, read_pairs, spread, with_pictures
from declaim.render.latent.autoencoder import Autoencoder
from declaim.render.latent.config import LatentConfig, UNetConfig, default, paper, tiny
from declaim.render.latent.networks import TRAIN_AUTOENCODER, LatentNetworks, load_autoencoder
from declaim.render.latent.objective import frame_loss, perceptual_loss
from declaim.render.latent.sampling import FrameSampler
from declaim.render.latent.unet import Conditions
from declaim.render.mouth.objective import colour_loss
from declaim.render.patches import crop
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


class LatentObjective(Section):
    """How the UNet learns."""

    shallow: float = Field(0.5, ge=0, le=1)
    """Share of the rows noised to no more than ``network.start``, where sampling happens; the others to any step."""
    # Deviation: the paper has no guide.
    from_guide: float = Field(0.8, ge=0, le=1)
    """Share of the rows in which the guide, not the true frame, is noised to no more than ``network.start``: what
    sampling begins with."""
    nearer: float = Field(0.25, ge=0, le=1)
    """Share of those in which it has come part of the way to the true frame: what a process begins with that carries
    the previous frame's offset."""
    mouth: float = Field(4.0, ge=0)
    """Extra weight of the mouth's places; 0 as in the paper."""
    latent: float = Field(1.0, ge=0)
    """Weight of the error of latents (eq. 16)."""
    colour: float = Field(0.0, ge=0)
    """Weight of the error of the pictures that are decoded, absolute, 0 to 1."""
    perceptual: float = Field(0.0, ge=0)
    """Weight of what VGG16 sees around the lips (the asset vgg16-hed)."""
    blocks: int = Field(3, ge=1, le=5)
    """Its first blocks that are compared."""
    around: float = Field(0.56, gt=0, le=1)
    """Share of the patch's side, around the lips, that it sees."""


class LatentSettings(Settings):
    """All settings of the recipe."""

    network: LatentConfig = LatentConfig()
    """The UNet and its process; the autoencoder's sizes are taken from its folder."""
    data: LatentData = LatentData()
    """What is learnt from."""
    changes: PairChanges = PairChanges(portrait=0.1)
    """How pictures are changed."""
    objective: LatentObjective = LatentObjective()
    """How the UNet learns."""
    judged: int = Field(64, gt=0)
    """Pairs of held-out speakers that a validation draws."""


class LatentTask:
    """Training of the UNet; the autoencoder stays as it is.

    Args:
        networks: both.
        sampler: draws rows.
        held: draws rows for validation, if there are any.
        settings: of the recipe.
        clips: records of the corpus that are learnt from.
    """

    def __init__(
        self, networks: LatentNetworks, sampler: PatchSampler, held: PatchSampler | None, settings: LatentSettings,
        clips: Sequence[ClipRecord],
    ) -> None:  # fmt: skip
        self.module: nn.Module = networks
        self.clips = clips
        self._sampler, self._settings = sampler, settings
        self._held = None if held is None else held.plain(spread(range(len(held.pairs.pairs)), settings.judged))
        self._schedule = FrameSampler(networks.config, networks.unet).schedule
        self._features = VGG16Features.from_pretrained() if settings.objective.perceptual else None

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Patches of pairs."""
        return self._sampler.batch(number, rows)

    def names(self, number: int, rows: range) -> list[str]:
        """The clips that the rows come from."""
        return self._sampler.pairs.names(number, rows)

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """Eq. 16, and the error of the pictures."""
        assert isinstance(module, LatentNetworks)
        seen, target = _told(module, batch)
        steps, nearness, guided = self._noising(module.config, seeds)
        begin = target
        if seen.guide is not None:
            way = torch.where(guided, nearness, 1.0)[:, None, None, None].to(target.device)
            begin = torch.lerp(seen.guide, target, way)
        eps = row_noise(seeds, *target.shape[1:], stream=1).to(target.device)
        levels = self._schedule.alpha_bar[steps][:, None, None, None].to(target.device)
        estimate = module.unet(q_sample(begin, eps, levels), steps.to(target.device), seen)
        asked = self._settings.objective
        places = functional.interpolate(batch["mouth"][:, None], target.shape[-2:], mode="area")
        weight = 1.0 + asked.mouth * places
        found = {"latent": asked.latent * frame_loss(target, estimate, weight)}
        if asked.colour or asked.perceptual:
            found |= self._seen(_shown(module, seen, estimate, batch), batch)
        return {**found, "total": torch.stack(list(found.values())).sum()}

    def _seen(self, drawn: Float[Tensor, "rows 3 side side"], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is wrong with pictures, 0 to 1."""
        asked, target = self._settings.objective, batch["target"]
        weights = (1.0 + asked.mouth * batch["mouth"]) * batch["shown"]
        found = {"colour": asked.colour * colour_loss(drawn, target, weights).mean()}
        if self._features is not None:
            self._features.to(target.device)
            both = [self._near(2.0 * pictures - 1.0) for pictures in (target, drawn)]
            found["perceptual"] = asked.perceptual * perceptual_loss(both[0], both[1], self._maps)
        return found

    def _near(self, patches: Float[Tensor, "*batch side side"]) -> Float[Tensor, "*batch small small"]:
        """What VGG16 sees: around the lips, or the whole square of the head."""
        view = self._settings.network.view
        return patches if view.cm is None else crop(patches, self._settings.objective.around, view.above)

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        assert self._features is not None
        found = self._features.maps(
            pictures.contiguous(memory_format=torch.channels_last), self._settings.objective.blocks
        )
        return list(found)

    def _noising(self, config: LatentConfig, seeds: Int64[Tensor, " rows"]) -> tuple[Tensor, Tensor, Tensor]:
        """The diffusion step of every row, how far its guide has come to the truth, and whether it is noised."""
        wanted, start = self._settings.objective, config.start
        drawn = torch.stack([torch.rand(4, generator=generator) for generator in row_generators(seeds)]).double()
        anywhere = drawn[:, 1] * config.diffusion_steps
        nearness = torch.where(drawn[:, 2] < wanted.nearer, drawn[:, 3], 0.0).float()
        if start is None:
            return anywhere.long(), nearness, torch.zeros(len(seeds), dtype=torch.bool)
        guided = drawn[:, 0] < wanted.from_guide
        shallow = ~guided & (drawn[:, 0] < wanted.from_guide + (1 - wanted.from_guide) * wanted.shallow)
        return torch.where(guided | shallow, drawn[:, 1] * (start + 1), anywhere).long(), nearness, guided

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """On held-out speakers: errors of latents; PSNR in the mouth (dB), and the perceptual distance around it.

        The latter two of what is drawn, of the guide, and of what the autoencoder alone makes of the guide
        (``unchanged``).
        """
        assert isinstance(module, LatentNetworks)
        if self._held is None:
            return {}
        sampler, device = FrameSampler(module.config, module.unet), module.autoencoder.latent_mean.device
        noise, rows = sampler.noise(0).to(device), []
        for row in range(len(self._held["mouth"])):
            batch = {name: value[row : row + 1].to(device) for name, value in self._held.items()}
            seen, target = _told(module, batch)
            drawn = sampler(seen, noise)
            made = _shown(module, seen, drawn, batch)
            pictures = {"drawn": torch.lerp(batch["guide"], made, module.config.strength), "guide": batch["guide"]}
            latents = {"latent": drawn}
            if seen.guide is not None:
                pictures["unchanged"] = _shown(module, seen, seen.guide, batch)
                latents["guide_latent"] = seen.guide
            found = {name: float(frame_loss(target, latent)) for name, latent in latents.items()}
            for name, picture in pictures.items():
                found |= {f"{figure}_{name}": value for figure, value in self._figures(picture, batch).items()}
            rows.append(found)
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _figures(self, picture: Float[Tensor, "1 3 side side"], batch: Mapping[str, Tensor]) -> dict[str, float]:
        target, mouth = batch["target"], batch["mouth"]
        picture = picture.clamp(0, 1)
        error = float(((picture - target).square().mean(1) * mouth).sum() / mouth.sum())
        found = {"psnr": float(-10 * np.log10(max(error, 1e-8)))}
        if self._features is not None:
            near = [self._near(pictures) for pictures in (picture, target)]
            found["perceptual"] = perceptual_distance(self._features.cpu(), *near)
        return found

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Write a folder that ``LatentNetworks.from_pretrained`` reads."""
        assert isinstance(module, LatentNetworks)
        sizes = [sum(p.numel() for p in part.parameters()) for part in (module.autoencoder, module.unet)]
        guide = ", guided by the mesh renderer" if module.config.unet.guide else ""
        text = CARD.format(autoencoder=f"{sizes[0]:,}", unet=f"{sizes[1]:,}", guide=guide, made=card)
        module.save_pretrained(folder, text)


TRAIN = TrainConfig(steps=1200, batch_size=16, learning_rate=1e-3, weight_decay=0.01, ema=0.995, validate_every=200)
DATA = LatentData(references=3, targets=48)
BASE = LatentSettings(train=TRAIN, network=default(), data=DATA)
HELD = BASE.model_copy(update={"data": DATA.model_copy(update={"hold_out": HELD_OUT})})
FEW = TRAIN.model_copy(update={"steps": 300, "validate_every": 300})
"""Enough to compare the ablations of table 2 with three seeds (train.seed=0, 1, 2)."""


def _ablation(**unet: object) -> LatentSettings:
    """The default with some of the UNet's settings changed; without a guide the process starts from noise."""
    changed = UNetConfig.model_validate(BASE.network.unet.model_dump() | unet)
    process: dict[str, object] = {"strength": 1.0}
    if not changed.guide:
        process |= {"start": None, "sampling_steps": 20, "detail": False}
    network = LatentConfig.model_validate(BASE.network.model_dump() | {"unet": changed.model_dump()} | process)
    wished = {"train": FEW, "network": network, "data": LatentData(hold_out=HELD_OUT)}
    return BASE.model_copy(update=wished)


class LatentRecipe:
    """Registered as ``latent-renderer``."""

    name = "latent-renderer"
    presets: Mapping[str, LatentSettings] = {
        "default": BASE,
        "held-out": HELD,
        "tiny": LatentSettings(
            train=TINY,
            network=tiny(),
            data=LatentData(references=1, targets=3),
            judged=2,
        ),
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
        """Read or make the pairs, and make the network.

        Raises:
            ConfigError: no autoencoder's weights are named.
        """
        data, model = settings.data, FaceModel.from_pretrained()
        autoencoder = _autoencoder(settings)
        network = settings.network.model_copy(update={"autoencoder": autoencoder.config})
        network = LatentConfig.model_validate(network.model_dump())
        settings = settings.model_copy(update={"network": network})
        learnt, kept = with_pictures(corpus, data)
        parts = [read_pairs(corpus, clips, data, on_step) for clips in (learnt, kept) if clips]
        samplers = [PatchSampler(p, model, network.view, settings.changes, settings.train.seed) for p in parts]
        networks = LatentNetworks(network, autoencoder)
        networks.unet.measure(parts[0].coefficients)
        return LatentTask(networks, samplers[0], samplers[1] if kept else None, settings, learnt)


RECIPE = LatentRecipe()


def _told(module: LatentNetworks, batch: Mapping[str, Tensor]) -> tuple[Conditions, Float[Tensor, "rows channels h w"]]:
    """What the UNet is told, and the latents of the true frames."""
    asked = module.config.unet

    def encoded(name: str) -> Tensor:
        return module.autoencoder.latents(2.0 * batch[name] - 1.0)

    with torch.no_grad():
        guide = encoded("guide") if asked.guide else None
        told = Conditions(batch["coefficients"], encoded("portrait"), guide, batch["own"] if asked.own else None)
        return told, encoded("target")


def _shown(
    module: LatentNetworks, told: Conditions, drawn: Float[Tensor, "rows channels h w"], batch: Mapping[str, Tensor]
) -> Float[Tensor, "rows 3 side side"]:
    """Patches as they are put back into frames, 0 to 1."""
    guide = batch["guide"]
    made = module.pictures(told.reference, drawn, told.guide, 2.0 * guide - 1.0, batch["lips"][:, None])
    return guide + batch["shown"][:, None] * ((made + 1.0) / 2.0 - guide)


def _autoencoder(settings: LatentSettings) -> Autoencoder:
    """The autoencoder that is named; a new one for the smallest sizes."""
    if settings.data.autoencoder:
        return load_autoencoder(Path(settings.data.autoencoder)).requires_grad_(False)
    if settings.network == tiny():
        return Autoencoder(settings.network.autoencoder).eval().requires_grad_(False)
    raise ConfigError(
        f"no autoencoder is named; make one with: {TRAIN_AUTOENCODER}, and name it: --set data.autoencoder=RUN/weights"
    )
