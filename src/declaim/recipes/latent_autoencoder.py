"""Recipe ``latent-autoencoder``: between pictures and the latents that FD2Talk's frame stage draws.

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
from declaim.diffusion.noise import row_noise
from declaim.face.model import FaceModel
from declaim.metrics.extractors import VGG16Features
from declaim.metrics.functional.image import psnr, ssim
from declaim.recipes.base import Section, Settings
from declaim.recipes.latent_cuts import CutChanges, CutSampler
from declaim.recipes.motion import HELD_OUT, TINY
from declaim.recipes.pairs import PairChanges, Pairs, PairSampler, PairsData, read_pairs, spread, with_pictures
from declaim.render.latent.autoencoder import Autoencoder, from_bytes, to_bytes
from declaim.render.latent.config import AutoencoderConfig, default, paper, tiny
from declaim.render.latent.networks import save_autoencoder
from declaim.render.latent.objective import autoencoder_loss, perceptual_loss, reconstruction_loss
from declaim.train.config import TrainConfig
from declaim.types import OnStep

CARD = """# Latent autoencoder

Pictures to latents of one place every {factor} pixels, {channels} channels, and back, beside
the latent of a reference picture; {parameters} parameters. Licence: Apache-2.0.

{made}"""


class AutoencoderObjective(Section):
    """Weights of the losses."""

    reconstruction: float = Field(1.0, ge=0)
    """lambda_rec of eq. 15."""
    perceptual: float = Field(0.02, ge=0)
    """lambda_per of eq. 15, of features of order 1; 0: the asset vgg16-hed is not needed."""
    perceptual_blocks: int = Field(2, ge=1, le=5)
    """Blocks of VGG16 that are compared."""
    perceptual_side: int = Field(48, gt=0)
    """Side of the middle of a cut that is compared, in pixels: the features cost more than the network."""
    divergence: float = Field(3e-5, ge=0)
    """Weight of the KL divergence per value of the latent."""


class AutoencoderSettings(Settings):
    """All settings of the recipe."""

    network: AutoencoderConfig = AutoencoderConfig()
    """Encoder and decoder."""
    data: PairsData = PairsData()
    """What is learnt from."""
    changes: PairChanges = PairChanges()
    """How pictures are changed in training."""
    cuts: CutChanges = CutChanges()
    """How they are cut."""
    objective: AutoencoderObjective = AutoencoderObjective()
    """Weights of the losses."""
    judged: int = Field(48, gt=0)
    """Pictures of held-out speakers that a validation decodes."""


class AutoencoderTask:
    """Training of an autoencoder.

    Args:
        module: the autoencoder.
        learnt: pictures to learn from.
        held: pictures for validation, if any.
        settings: of the recipe.
        clips: records of the corpus that are learnt from.
    """

    def __init__(
        self, module: Autoencoder, learnt: Pairs, held: Pairs | None, settings: AutoencoderSettings,
        clips: Sequence[ClipRecord],
    ) -> None:  # fmt: skip
        self.module: nn.Module = module
        self.clips = clips
        self._learnt, self._held, self._settings = learnt, held, settings
        pairs = PairSampler(learnt, FaceModel.from_pretrained(), settings.changes, settings.train.seed)
        self._sampler = CutSampler(pairs, settings.cuts, module.config.factor)
        self._features = None
        if settings.objective.perceptual:
            self._features = VGG16Features.from_pretrained()

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Two pictures of one person in every row."""
        return self._sampler.batch(number, rows)

    def names(self, number: int, rows: range) -> list[str]:
        """The clips that the rows are cut from."""
        return self._sampler.pairs.names(number, rows)

    def losses(
        self, module: nn.Module, batch: Mapping[str, Tensor], seeds: Int64[Tensor, " rows"]
    ) -> dict[str, Tensor]:
        """Eqs. 13 to 15 of the second picture beside the first one's latent, and the KL divergence."""
        assert isinstance(module, Autoencoder)
        wanted, second = self._settings.objective, batch["second"]
        count = len(second)
        posterior = module.encode(torch.cat([batch["first"], second]))
        noise = row_noise(seeds, 2, *posterior.mean.shape[1:]).to(second.device)
        latents = posterior.sample(torch.cat([noise[:, 0], noise[:, 1]]))
        decoded = module.decode(latents[:count], latents[count:])
        found = {"reconstruction": reconstruction_loss(second, decoded), "divergence": posterior.divergence()}
        perceptual = second.new_zeros(())
        if self._features is not None:
            self._features.to(second.device)
            side = wanted.perceptual_side
            perceptual = perceptual_loss(_middle(second, side), _middle(decoded, side), self._maps)
            found["perceptual"] = perceptual
        total = autoencoder_loss(found["reconstruction"], perceptual, wanted.reconstruction, wanted.perceptual)
        return {**found, "total": total + wanted.divergence * found["divergence"]}

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        assert self._features is not None
        blocks = self._settings.objective.perceptual_blocks
        return self._features.maps(pictures.contiguous(memory_format=torch.channels_last), blocks)

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """PSNR and SSIM of pictures of held-out speakers, means over pictures."""
        assert isinstance(module, Autoencoder)
        if self._held is None:
            return {}
        device, held, rows = module.latent_mean.device, self._held, []
        for i in spread(range(len(held)), self._settings.judged):
            pair = np.stack([held.reference[int(held.of[i])], held.target[i]])
            latents = module.encode(from_bytes(torch.from_numpy(pair)).to(device)).mean
            decoded = to_bytes(module.decode(latents[:1], latents[1:]))[0].cpu().numpy()
            rows.append((psnr(decoded, held.target[i]), ssim(decoded, held.target[i])))
        means = np.mean(rows, 0)
        return {"psnr": float(means[0]), "ssim": float(means[1])}

    def save(self, module: nn.Module, folder: Path, card: str) -> None:
        """Measure the latents' units, and write a folder that ``load_autoencoder`` reads."""
        assert isinstance(module, Autoencoder)
        places = spread(range(len(self._learnt)), 64)
        module.measure(from_bytes(torch.from_numpy(self._learnt.target[places])))
        config = module.config
        text = CARD.format(
            factor=config.factor, channels=config.channels, made=card,
            parameters=f"{sum(p.numel() for p in module.parameters()):,}",
        )  # fmt: skip
        save_autoencoder(module, folder, text)


TRAIN = TrainConfig(steps=2000, batch_size=16, learning_rate=1e-3, weight_decay=0.0, ema=0.995, validate_every=250)


class AutoencoderRecipe:
    """Registered as ``latent-autoencoder``."""

    name = "latent-autoencoder"
    presets: Mapping[str, AutoencoderSettings] = {
        "default": AutoencoderSettings(train=TRAIN, network=default().autoencoder),
        "held-out": AutoencoderSettings(train=TRAIN, network=default().autoencoder, data=PairsData(hold_out=HELD_OUT)),
        "paper": AutoencoderSettings(
            train=TrainConfig(
                steps=100_000, batch_size=32, learning_rate=1e-4, weight_decay=0.0, validate_every=2000, save_every=2000
            ),
            network=paper().autoencoder,
            cuts=CutChanges(side=256),
            objective=AutoencoderObjective(perceptual_blocks=5, perceptual_side=256),
        ),
        "tiny": AutoencoderSettings(
            train=TINY,
            network=tiny().autoencoder,
            data=PairsData(references=1, targets=3),
            cuts=CutChanges(side=32),
            objective=AutoencoderObjective(perceptual=0.0),
            judged=2,
        ),
    }

    def task(self, corpus: Corpus, settings: AutoencoderSettings, on_step: OnStep | None = None) -> AutoencoderTask:
        """Read or make the pictures, and make the network."""
        learnt, held = with_pictures(corpus, settings.data)
        pairs = read_pairs(corpus, learnt, settings.data, on_step)
        judged = read_pairs(corpus, held, settings.data, on_step) if held else None
        return AutoencoderTask(Autoencoder(settings.network), pairs, judged, settings, learnt)


RECIPE = AutoencoderRecipe()


def _middle(pictures: Tensor, side: int) -> Tensor:
    """The middle of pictures; whole ones where they are smaller."""
    top, left = (max(n - side, 0) // 2 for n in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]
