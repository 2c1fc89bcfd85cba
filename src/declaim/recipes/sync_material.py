"""What the sync expert learns from: clips in step, cut, mirrored, and changed as other people and cameras would."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from declaim.assets import cache_folder
from declaim.data.corpus import PICTURE, ClipRecord, Corpus
from declaim.media import probe, read_frames
from declaim.pretrained import atomic_file, load_tensors, save_tensors
from declaim.recipes.base import Section
from declaim.sync.network import PICTURE_SIZE, gray
from declaim.sync.offsets import whole_windows
from declaim.sync.pictures import MouthCuts, cut_mouths


class SyncChanges(Section):
    """How sequences are changed in training: few speakers have to stand for everybody."""

    feature_drop: float = Field(0.3, ge=0, lt=1)
    """Share of the speech features that is zero throughout a sequence."""
    feature_noise: float = Field(0.5, ge=0)
    """Noise on speech features, in their standard deviations."""
    amplitude: float = Field(0.3, ge=0)
    """Spread of the logarithm of a factor on all lip motion: lively and sparing speakers."""
    proportion: float = Field(0.1, ge=0)
    """The same for every lip direction by itself."""
    rest: float = Field(0.3, ge=0)
    """Spread of an offset of every lip direction, in standard deviations: where a face is at rest is never certain."""
    jitter: float = Field(0.2, ge=0)
    """Most noise on lip motion, in standard deviations: trackers differ."""
    smooth: float = Field(0.3, ge=0, le=1)
    """Share of the sequences whose lip motion is smoothed: trackers and renderers do."""
    place: float = Field(0.06, ge=0)
    """Spread of the place of mouth pictures, in halves of their sides."""
    size: float = Field(0.08, ge=0)
    """Spread of the logarithm of their size."""
    tilt_rad: float = Field(0.08, ge=0)
    """Spread of their tilt."""
    gamma: float = Field(0.25, ge=0)
    """Spread of the logarithm of their gamma."""
    grain: float = Field(0.04, ge=0)
    """Most noise on them; white is 1."""
    blur: float = Field(0.3, ge=0, le=1)
    """Share of the sequences whose pictures are seen at half their size."""


@dataclass(frozen=True, eq=False)
class Material:
    """One clip at one tempo, in step.

    Attributes:
        name: the clip's, with the tempo.
        speaker: who speaks.
        features: speech features, in standard deviations.
        values: b of the same frames.
        mirrored: b as seen in a mirror.
        valid: frames in which the face was seen.
        mouths: the clip's mouth pictures; None without.
        shown: which of them each frame shows.
    """

    name: str
    speaker: str
    features: Float[Tensor, "frames features"]
    values: Float[Tensor, "frames expression"]
    mirrored: Float[Tensor, "frames expression"]
    valid: Bool[Tensor, " frames"]
    mouths: UInt8[Tensor, "pictures height width"] | None
    shown: Int64[Tensor, " frames"]


def read_mouths(corpus: Corpus, clip: ClipRecord) -> UInt8[Tensor, "frames height width"]:
    """A clip's mouth pictures, cut once and kept in the cache folder.

    Raises:
        ConfigError: the clip was prepared without pictures.
    """
    video = corpus.path(clip, PICTURE)
    kept = cache_folder() / "mouths" / f"{clip.files[PICTURE].sha256[:32]}.safetensors"
    if kept.is_file():
        return load_tensors(kept)["pictures"]
    track = corpus.track(clip)
    assert clip.crop_box is not None
    left, top, side = clip.crop_box
    scale = probe(video).width / side
    points = (track.points - torch.tensor([left, top, 0.0])) * scale
    pictures = cut_mouths(read_frames(video), MouthCuts.of(points, track.valid))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(kept) as partial:
        save_tensors(partial, {"pictures": pictures})
    return pictures


class SyncSampler:
    """Draws sequences; a row depends on seed, batch number and its place alone.

    Args:
        material: clips; speakers count by the root of their frames.
        frames: length of a sequence.
        window: frames of an embedding.
        changes: see `SyncChanges`.
        share: of the rows with mouth pictures, where the clips have some.
        lip_std: of lip directions, b's, for noise.
        lip_basis: those directions.
        seed: the order.
    """

    def __init__(
        self, material: Sequence[Material], frames: int, window: int, changes: SyncChanges, *, share: float,
        lip_basis: Float[Tensor, "expression directions"], lip_std: Float[Tensor, " directions"], seed: int,
    ) -> None:  # fmt: skip
        self.material, self.frames, self.window = list(material), frames, window
        self.changes, self.share, self.seed = changes, share, seed
        self._basis, self._std = lip_basis, lip_std
        grouped: dict[str, list[int]] = defaultdict(list)
        for i, clip in enumerate(self.material):
            grouped[clip.speaker].append(i)
        self._groups = list(grouped.values())
        totals = np.array([sum(len(self.material[i].valid) for i in group) for group in self._groups], float)
        self._shares = np.minimum(totals, 6000.0) ** 0.5 / (np.minimum(totals, 6000.0) ** 0.5).sum()

    def chosen(self, number: int, row: int) -> Material:
        """The clip that a row is cut from."""
        return self._choose(np.random.default_rng((self.seed, number, row)))

    def _choose(self, rng: np.random.Generator) -> Material:
        group = self._groups[rng.choice(len(self._groups), p=self._shares)]
        return self.material[group[rng.integers(len(group))]]

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Changed speech features and b, pictures, windows that count, and which rows have pictures."""
        made = [self._sequence(number, row) for row in rows]
        return {name: torch.stack([one[name] for one in made]) for name in made[0]}

    def _sequence(self, number: int, row: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, number, row))
        clip = self._choose(rng)
        start = int(rng.integers(0, max(len(clip.valid) - self.frames, 0) + 1))
        mirrored = rng.random() < 0.5
        part = slice(start, start + self.frames)
        values = (clip.mirrored if mirrored else clip.values)[part]
        made = {
            "features": self._fill(changed_features(clip.features[part], self.changes, rng)),
            "values": self._fill(values + self._lips_changed(values, rng)),
            "counts": whole_windows(self._fill(clip.valid[part]), self.window),
        }
        shows = clip.mouths is not None and rng.random() < self.share
        if self.share:
            made["shows"] = torch.tensor(shows)
            made["pictures"] = torch.zeros(self.frames, *PICTURE_SIZE)
            if shows:
                assert clip.mouths is not None
                pictures = changed_pictures(gray(clip.mouths[clip.shown[part]]), self.changes, rng)
                made["pictures"] = self._fill(pictures.flip(-1) if mirrored else pictures)
        return made

    def _fill(self, rows: Tensor) -> Tensor:
        """Zeros (False) up to the length of a sequence."""
        missing = self.frames - len(rows)
        return torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])]) if missing else rows

    def _lips_changed(self, values: Tensor, rng: np.random.Generator) -> Tensor:
        """What to add to b, so that its lip directions are those of another person and tracker."""
        lips = values @ self._basis / self._std
        return (changed_lips(lips, self.changes, rng) - lips) * self._std @ self._basis.T


def _normal(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def changed_features(
    features: Float[Tensor, "frames features"], changes: SyncChanges, rng: np.random.Generator
) -> Float[Tensor, "frames features"]:
    """Speech features with some of them dropped, and noise."""
    kept = torch.from_numpy(rng.random(features.shape[1]) >= changes.feature_drop).float()
    return features * kept / (1.0 - changes.feature_drop) + changes.feature_noise * _normal(rng, *features.shape)


def changed_lips(
    lips: Float[Tensor, "frames directions"], changes: SyncChanges, rng: np.random.Generator
) -> Float[Tensor, "frames directions"]:
    """Lip motion (in standard deviations) as of another person and another tracker."""
    n = lips.shape[1]
    lips = lips * (changes.amplitude * _normal(rng, 1) + changes.proportion * _normal(rng, n)).exp()
    lips = lips + changes.rest * _normal(rng, n)
    if rng.random() < changes.smooth and len(lips) > 2:
        weight = 0.5 * float(rng.random())
        around = (lips[:-2] + lips[2:]) / 2
        lips = torch.cat([lips[:1], (1.0 - weight) * lips[1:-1] + weight * around, lips[-1:]])
    return lips + changes.jitter * float(rng.random()) * _normal(rng, *lips.shape)


def changed_pictures(
    pictures: Float[Tensor, "frames height width"], changes: SyncChanges, rng: np.random.Generator
) -> Float[Tensor, "frames height width"]:
    """Mouth pictures cut a little elsewhere, in another light, by another camera; the same for the whole sequence."""
    height, width = PICTURE_SIZE
    x, y, size, tilt, gamma = rng.standard_normal(5)
    scale, angle = np.exp(changes.size * size), changes.tilt_rad * tilt
    cosine, sine, aspect = np.cos(angle) * scale, np.sin(angle) * scale, height / width
    turn = [[cosine, -sine * aspect, changes.place * x], [sine / aspect, cosine, changes.place * y]]
    grid = functional.affine_grid(torch.tensor([turn]).float(), [1, 1, height, width], align_corners=False)
    moved = functional.grid_sample(pictures[None], grid, padding_mode="border", align_corners=False)[0]
    moved = moved.clamp(min=1e-3) ** float(np.exp(changes.gamma * gamma))
    if rng.random() < changes.blur:
        coarse = functional.avg_pool2d(moved[None], 2)
        moved = functional.interpolate(coarse, PICTURE_SIZE, mode="bilinear", align_corners=False)[0]
    return moved + changes.grain * float(rng.random()) * _normal(rng, *moved.shape)
