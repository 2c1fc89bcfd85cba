"""What networks of pictures learn from: pairs of all clips, and how rows are drawn from them and changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from pydantic import Field
from torch import Tensor

from declaim.data.corpus import MOTION, PICTURE, TRACK, ClipRecord, Corpus
from declaim.errors import ConfigError
from declaim.face.layouts import MIRROR
from declaim.face.mirror import expression_mirror
from declaim.face.model import FaceModel
from declaim.recipes.base import Section
from declaim.recipes.pair_making import SIDE, PairMaker, PairsData
from declaim.render.coefficients import mirror_coefficients
from declaim.types import OnStep

__all__ = [
    "SIDE", "Look", "Pair", "PairChanges", "PairSampler", "Pairs", "PairsData", "read_pairs", "spread", "with_pictures",
]  # fmt: skip

T = TypeVar("T")

SOUNDLESS = {"no sound", "no speech", "music or noise"}
"""Flags that make a clip unusable for speech, not for pictures."""


class PairChanges(Section):
    """How pictures are changed in training: the same for a pair's three."""

    mirror: float = Field(0.5, ge=0, le=1)
    """Share of the rows that are seen in a mirror."""
    gamma: float = Field(0.15, ge=0)
    """Spread of the logarithm of their gamma."""
    contrast: float = Field(0.08, ge=0)
    """Spread of the logarithm of their contrast."""
    colour: float = Field(0.03, ge=0)
    """Spread of what is added to each channel; white is 1."""
    portrait: float = Field(0.0, ge=0, le=1)
    """Share of the rows whose frame is the portrait itself: what is asked for is there already."""
    shift: float = Field(0.03, ge=0)
    """Spread of how far patches lie from their place, in their sides: the portrait's, and the two others together."""
    size: float = Field(0.05, ge=0)
    """Spread of the logarithm of their size."""
    turn: float = Field(0.05, ge=0)
    """Spread of their tilt, rad."""
    grain: float = Field(0.01, ge=0)
    """Most noise on them, the same in all three."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pictures of the mesh renderer with what they should have been; pixels are those of the square of 256.

    Attributes:
        reference: portraits.
        own: what the networks are told of the portraits, see `declaim.render.coefficients`.
        own_points: the portraits' tracked points.
        guide: pictures of the mesh renderer.
        target: the clip's own frames.
        of: number of every pair's portrait.
        coefficients: what the networks are told of the pairs.
        points: tracked points of the targets.
        guide_points: where the mesh renderer drew them.
        yaw_rad: turn of the target's head to the side, by its motion.
        clip: names of the clips, by portrait.
        speakers: who is seen, by portrait.
    """

    reference: UInt8[np.ndarray, "refs 256 256 3"]
    own: Float[Tensor, "refs 70"]
    own_points: Float[Tensor, "refs 478 2"]
    guide: UInt8[np.ndarray, "pairs 256 256 3"]
    target: UInt8[np.ndarray, "pairs 256 256 3"]
    of: Int64[Tensor, " pairs"]
    coefficients: Float[Tensor, "pairs 70"]
    points: Float[Tensor, "pairs 478 2"]
    guide_points: Float[Tensor, "pairs 478 2"]
    yaw_rad: Float[Tensor, " pairs"]
    clip: tuple[str, ...]
    speakers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.of)

    @property
    def speaker(self) -> list[str]:
        """Who is seen, by pair."""
        return [self.speakers[i] for i in self.of.tolist()]


def with_pictures(corpus: Corpus, data: PairsData) -> tuple[list[ClipRecord], list[ClipRecord]]:
    """Clips to learn from, and clips of the held-out speakers; those that lack nothing but speech are among them.

    Raises:
        ConfigError: there is nothing to learn from, or a held-out speaker is not there.
    """
    found = [
        clip
        for clip in corpus.clips
        if clip.split in data.splits
        and {PICTURE, TRACK, MOTION} <= set(clip.files)
        and clip.crop_box is not None
        and (clip.usable or set(clip.flags) <= SOUNDLESS)
    ]
    absent = sorted(set(data.hold_out) - {clip.speaker for clip in found})
    if absent:
        raise ConfigError(f"data.hold_out names {', '.join(absent)}, of whom {corpus.folder} has no pictures")
    chosen = [clip for clips in _by_speaker(found).values() for clip in spread(clips, data.clips_per_speaker)]
    learnt = [clip for clip in chosen if clip.speaker not in data.hold_out]
    if not learnt:
        raise ConfigError(
            f"{corpus.folder} has no clips with pictures of split {' or '.join(data.splits)} to learn from; prepare "
            "it with pictures (declaim prepare without --no-pictures)"
        )
    return learnt, [clip for clip in chosen if clip.speaker in data.hold_out]


def read_pairs(corpus: Corpus, clips: Sequence[ClipRecord], data: PairsData, on_step: OnStep | None = None) -> Pairs:
    """The pairs of some clips, made once and kept in the cache folder.

    Clips in which no portrait is found (too small, turned away) are left out.

    Args:
        corpus: where the clips are.
        clips: those of `with_pictures`.
        data: how many pairs.
        on_step: called with (clips done, clips in all).

    Raises:
        ConfigError: no pair could be made.
    """
    found: list[dict[str, Tensor]] = []
    with PairMaker(corpus, data) as maker:
        for done, clip in enumerate(clips, 1):
            found.append(maker.read(clip))
            if on_step:
                on_step(done, len(clips))
    counts = [len(one["own"]) for one in found]
    if not sum(counts):
        raise ConfigError(f"no frame of the clips of {corpus.folder} can serve as a portrait")
    starts = np.cumsum([0, *counts[:-1]]).tolist()
    for one, start in zip(found, starts, strict=True):
        one["of"] = one["of"] + start
    whole = {name: torch.cat([one.pop(name) for one in found]) for name in tuple(found[0])}
    reference, guide, target = (whole.pop(name).numpy() for name in ("reference", "guide", "target"))
    each = [clip for clip, count in zip(clips, counts, strict=True) for _ in range(count)]
    names, speakers = tuple(c.name for c in each), tuple(c.speaker for c in each)
    return Pairs(reference=reference, guide=guide, target=target, clip=names, speakers=speakers, **whole)


@dataclass(frozen=True, eq=False)
class Pair:
    """One row: a pair, perhaps seen in a mirror, in the light that `Look` gives it.

    Attributes:
        index: number of the pair.
        reference: the portrait.
        guide: the mesh renderer's picture.
        target: what it should have been.
        coefficients: what the networks are told of the pair.
        own: the same of the portrait.
        points: tracked points of the target.
        own_points: of the portrait.
        guide_points: where the mesh renderer drew them.
        look: how its pictures are changed.
        moved: how the patches of the portrait and of the frame lie beside their places: columns and rows (in sides of
            the patch), logarithm of the size, tilt (rad).
    """

    index: int
    reference: UInt8[np.ndarray, "256 256 3"]
    guide: UInt8[np.ndarray, "256 256 3"]
    target: UInt8[np.ndarray, "256 256 3"]
    coefficients: Float[Tensor, " 70"]
    own: Float[Tensor, " 70"]
    points: Float[Tensor, "478 2"]
    own_points: Float[Tensor, "478 2"]
    guide_points: Float[Tensor, "478 2"]
    look: "Look"
    moved: Float[np.ndarray, "2 4"]

    def of_portrait(self) -> "Pair":
        """A row whose frame is the portrait."""
        return replace(
            self, guide=self.reference, target=self.reference, coefficients=self.own, points=self.own_points,
            guide_points=self.own_points,
        )  # fmt: skip


@dataclass(frozen=True)
class Look:
    """A camera's and a lamp's doing, the same for some pictures: gamma, contrast, colour, grain."""

    gamma: float
    contrast: float
    colour: tuple[float, float, float]
    grain: float
    seed: int

    @classmethod
    def drawn(cls, rng: np.random.Generator, changes: PairChanges) -> "Look":
        """A random one."""
        gamma, contrast, *colour = rng.standard_normal(5).tolist()
        red, green, blue = (changes.colour * c for c in colour)
        return cls(
            float(np.exp(changes.gamma * gamma)), float(np.exp(changes.contrast * contrast)), (red, green, blue),
            changes.grain * float(rng.random()), int(rng.integers(2**31)),
        )  # fmt: skip

    def of(self, pictures: Sequence[UInt8[np.ndarray, "height width 3"]]) -> list[Float[Tensor, "3 height width"]]:
        """Pictures of one size, changed alike; 0 to 1."""
        levels = np.linspace(0, 1, 256, dtype=np.float32)[:, None] ** self.gamma
        table = (levels - 0.5) * self.contrast + 0.5 + np.array(self.colour, np.float32)
        table = np.clip(table, 0, 1).astype(np.float32)
        noise = None
        if self.grain:
            drawn = np.random.default_rng(self.seed).standard_normal(pictures[0].shape, np.float32)
            noise = self.grain * torch.from_numpy(drawn).permute(2, 0, 1)
        changed = []
        for picture in pictures:
            planes = np.stack([cv2.LUT(np.ascontiguousarray(picture[..., c]), table[:, c]) for c in range(3)])
            plain = torch.from_numpy(planes)
            changed.append(plain if noise is None else (plain + noise).clamp(0, 1))
        return changed


class PairSampler:
    """Draws rows; each depends on seed, batch number and its place alone.

    Args:
        pairs: what is drawn from; speakers count by the root of their pairs.
        model: the face model of the coefficients.
        changes: see `PairChanges`.
        seed: the order.
    """

    def __init__(self, pairs: Pairs, model: FaceModel, changes: PairChanges, seed: int) -> None:
        self.pairs, self.changes, self.seed = pairs, changes, seed
        self._matrix = expression_mirror(model)
        names = pairs.speaker
        counts = Counter(names)
        weights = np.array([counts[name] ** -0.5 for name in names])
        self._sums = np.cumsum(weights / weights.sum())

    def chosen(self, number: int, row: int) -> int:
        """Number of a row's pair."""
        return self._choose(np.random.default_rng((self.seed, number, row)))

    def _choose(self, rng: np.random.Generator) -> int:
        return min(int(np.searchsorted(self._sums, rng.random(), side="right")), len(self._sums) - 1)

    def pair(self, number: int, row: int) -> Pair:
        """One row of a batch."""
        rng = np.random.default_rng((self.seed, number, row))
        index = self._choose(rng)
        mirrored = bool(rng.random() < self.changes.mirror)
        pair = self.whole(index, mirrored, Look.drawn(rng, self.changes))
        pair = pair.of_portrait() if rng.random() < self.changes.portrait else pair
        asked = self.changes
        return replace(pair, moved=rng.standard_normal((2, 4)) * (asked.shift, asked.shift, asked.size, asked.turn))

    def whole(self, index: int, mirrored: bool, look: Look) -> Pair:
        """A pair by its number."""
        pairs, of = self.pairs, int(self.pairs.of[index])
        pictures = (pairs.reference[of], pairs.guide[index], pairs.target[index])
        told, points = (
            torch.stack([pairs.coefficients[index], pairs.own[of]]),
            torch.stack([pairs.points[index], pairs.own_points[of], pairs.guide_points[index]]),
        )
        if mirrored:
            reference, guide, target = (np.ascontiguousarray(picture[:, ::-1]) for picture in pictures)
            told = mirror_coefficients(told, self._matrix)
            points = points[:, list(MIRROR)] * points.new_tensor([-1.0, 1.0]) + points.new_tensor([float(SIDE), 0.0])
        else:
            reference, guide, target = pictures
        return Pair(
            index, reference, guide, target, told[0], told[1], points[0], points[1], points[2], look, np.zeros((2, 4))
        )

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Whole squares, changed, 0 to 1, with coefficients and points."""
        made = []
        for row in rows:
            pair = self.pair(number, row)
            pictures = pair.look.of([pair.reference, pair.guide, pair.target])
            told = {"coefficients": pair.coefficients, "own": pair.own, "points": pair.points}
            told |= {"own_points": pair.own_points, "guide_points": pair.guide_points}
            made.append(dict(zip(("reference", "guide", "target"), pictures, strict=True)) | told)
        return {name: torch.stack([one[name] for one in made]) for name in made[0]}

    def names(self, number: int, rows: range) -> list[str]:
        """The clips that the rows come from."""
        return [self.pairs.clip[int(self.pairs.of[self.chosen(number, row)])] for row in rows]


def _by_speaker(clips: Sequence[ClipRecord]) -> dict[str, list[ClipRecord]]:
    grouped: dict[str, list[ClipRecord]] = {}
    for clip in clips:
        grouped.setdefault(clip.speaker, []).append(clip)
    return grouped


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of some things, evenly over all of them."""
    places = sorted(set(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int).tolist()))
    return [items[i] for i in places]
