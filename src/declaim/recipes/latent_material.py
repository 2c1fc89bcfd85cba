"""What the diffusion UNet learns from: latents of pairs, encoded once, with where the mouth is in them."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from declaim.face.layouts import LIPS_INNER, LIPS_OUTER
from declaim.recipes.pairs import SIDE, Look, Pairs, PairSampler
from declaim.render.latent.autoencoder import Autoencoder
from declaim.types import OnStep

ROWS = 4
"""Pictures that are encoded together."""
OPENING_PX = 3
"""By how much the inner lips are grown to the inside of a mouth, pixels of the square of 256."""
MOUTH_PX = 6
"""By how much the outer lips are grown to the mouth's region, likewise."""


@dataclass(frozen=True, eq=False)
class LatentPairs:
    """Pairs in latent space, half precision, in standard deviations of the latents.

    Attributes:
        sampler: of the pairs themselves.
        reference: latents of the portraits, for every version: as they are, and seen in a mirror in another light.
        guide: of the mesh renderer's pictures.
        target: of what they should have been.
        of: number of every pair's portrait.
        coefficients: what the network is told, for every version.
        mouth: share of every place of the latent that is the mouth's, of 255.
        chosen: numbers of the pairs among those that were encoded.
    """

    sampler: PairSampler
    reference: Float[Tensor, "versions refs channels h w"]
    guide: Float[Tensor, "versions pairs channels h w"]
    target: Float[Tensor, "versions pairs channels h w"]
    of: Int64[Tensor, " pairs"]
    coefficients: Float[Tensor, "versions pairs 70"]
    mouth: UInt8[Tensor, "versions pairs h w"]
    chosen: tuple[int, ...]

    def choose(self, number: int, row: int) -> tuple[int, int]:
        """Version and place of a row of a batch: the pair that the sampler draws, or the next one that was encoded."""
        place = int(np.searchsorted(self.chosen, self.sampler.chosen(number, row)))
        version = int(np.random.default_rng((self.sampler.seed, number, row, 1)).random() < 0.5)
        return version, min(place, len(self.chosen) - 1)

    def row(self, version: int, place: int) -> Mapping[str, Tensor]:
        """One row of a batch."""
        return {
            "reference": self.reference[version, self.of[place]].float(),
            "guide": self.guide[version, place].float(),
            "target": self.target[version, place].float(),
            "coefficients": self.coefficients[version, place],
            "mouth": self.mouth[version, place].float()[None] / 255.0,
        }


def encode_pairs(
    sampler: PairSampler, autoencoder: Autoencoder, side: int, most: int, on_step: OnStep | None = None
) -> LatentPairs:
    """Encode pairs twice: as they are, and mirrored in another light (the same for all pictures of a portrait).

    Args:
        sampler: of the pairs.
        autoencoder: encodes.
        side: pixels of a side.
        most: pairs that are taken, spread over all of them.
        on_step: called with (pairs done, pairs in all).
    """
    chosen, encode = _spread(sampler.pairs, most), _Encoder(sampler, autoencoder, side)
    of = sampler.pairs.of[list(chosen)]
    portraits, numbers = torch.unique(of, return_inverse=True)
    first = {int(sampler.pairs.of[i]): i for i in reversed(chosen)}  # a pair of every portrait
    parts: dict[str, list[Tensor]] = {name: [] for name in ("guide", "target", "coefficients", "mouth")}
    for start in range(0, len(chosen), ROWS):
        for name, encoded in encode.pairs(chosen[start : start + ROWS]).items():
            parts[name].append(encoded)
        if on_step:
            on_step(min(start + ROWS, len(chosen)), len(chosen))
    joined = {name: torch.cat(found, 1) for name, found in parts.items()}
    references = [encode.references([first[p] for p in run.tolist()]) for run in portraits.split(ROWS)]
    return LatentPairs(sampler=sampler, reference=torch.cat(references, 1), of=numbers, chosen=chosen, **joined)


class _Encoder:
    """Encodes both versions of some pairs."""

    def __init__(self, sampler: PairSampler, autoencoder: Autoencoder, side: int) -> None:
        self.sampler, self.autoencoder, self.side = sampler, autoencoder, side

    def pairs(self, numbers: tuple[int, ...]) -> dict[str, Tensor]:
        """Guides, targets, coefficients and mouths."""
        found: dict[str, list[Tensor]] = {"guide": [], "target": [], "coefficients": [], "mouth": []}
        for mirrored in (False, True):
            rows = [self.sampler.whole(i, mirrored, self._look(i, mirrored)) for i in numbers]
            lit = [row.look.of([row.guide, row.target]) for row in rows]
            for k, name in enumerate(("guide", "target")):
                found[name].append(self._latents(torch.stack([pictures[k] for pictures in lit])))
            found["coefficients"].append(torch.stack([row.coefficients for row in rows]))
            size = found["guide"][-1].shape[-1]
            regions = [region(row.points.numpy(), LIPS_OUTER, MOUTH_PX) for row in rows]
            small = np.stack([cv2.resize(r, (size, size), interpolation=cv2.INTER_AREA) for r in regions])
            found["mouth"].append(torch.from_numpy(small))
        return {name: torch.stack(versions) for name, versions in found.items()}

    def references(self, numbers: list[int]) -> Float[Tensor, "versions refs channels h w"]:
        """The portraits of some pairs."""
        versions = []
        for mirrored in (False, True):
            rows = [self.sampler.whole(i, mirrored, self._look(i, mirrored)) for i in numbers]
            versions.append(self._latents(torch.stack([row.look.of([row.reference])[0] for row in rows])))
        return torch.stack(versions)

    def _look(self, number: int, mirrored: bool) -> Look:
        if not mirrored:
            return Look(1.0, 1.0, (0.0, 0.0, 0.0), 0.0, 0)
        portrait = int(self.sampler.pairs.of[number])
        return Look.drawn(np.random.default_rng((self.sampler.seed, portrait)), self.sampler.changes)

    @torch.no_grad()
    def _latents(self, pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        device = self.autoencoder.latent_mean.device
        scaled = 2.0 * pictures - 1.0
        if self.side != SIDE:
            scaled = torch.nn.functional.interpolate(scaled, (self.side, self.side), mode="area")
        return self.autoencoder.latents(scaled.to(device)).half().cpu()


def region(points: Float[np.ndarray, "478 2"], outline: tuple[int, ...], grown_px: int) -> UInt8[np.ndarray, "256 256"]:
    """255 inside a closed line of points of the square of 256, grown by some pixels; 0 outside."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.rint(points[list(outline)]).astype(np.int32)], 255)
    grower = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown_px + 1, 2 * grown_px + 1))
    return np.asarray(cv2.dilate(mask, grower))


def opening(points: Float[np.ndarray, "478 2"]) -> UInt8[np.ndarray, "256 256"]:
    """The inside of a mouth, with the lips' edges."""
    return region(points, LIPS_INNER, OPENING_PX)


def _spread(pairs: Pairs, most: int) -> tuple[int, ...]:
    count = len(pairs)
    return tuple(sorted(set(np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist())))
