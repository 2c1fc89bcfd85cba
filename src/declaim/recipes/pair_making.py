"""Pairs of one clip: what the mesh renderer makes of its frames, and what it shows; made once and kept.

a frame of the clip -> portrait (reference) --+-- the clip's motion --mesh renderer--> guide
other frames of the clip ---------------------------------------------------------> target
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor

from declaim.assets import cache_folder
from declaim.data.corpus import MOTION, PICTURE, TRACK, ClipRecord, Corpus
from declaim.errors import CheckpointError, DeclaimError
from declaim.face.anatomy import Anatomy
from declaim.face.layouts import N_POINTS
from declaim.face.model import FaceModel
from declaim.face.rotations import yaw_pitch_roll
from declaim.face.tracker import FaceTracker
from declaim.media import read_frames
from declaim.pretrained import atomic_file, load_tensors, save_tensors
from declaim.recipes.base import Section
from declaim.render.coefficients import N_COEFFICIENTS, coefficients
from declaim.render.cutout import HeadSquare
from declaim.render.geometry import anchored, picture_size
from declaim.render.mesh import MeshRenderer, MeshRendererConfig
from declaim.render.mesh.puppet import Puppet
from declaim.render.portrait import load_portrait
from declaim.types import Motion, Portrait

SIDE = 256
"""Pixels of the pictures' sides: those of the corpus."""
FORMAT = 1
"""Changes where kept pairs would no longer be those that are made."""


class PairsData(Section):
    """What is learnt from."""

    splits: tuple[str, ...] = ("train", "silent")
    """Splits of the corpus to learn from; those that it does not have are left out."""
    clips_per_speaker: int = Field(12, gt=0)
    """Most clips of one speaker that are used, spread over all of them."""
    references: int = Field(2, gt=0)
    """Frames of a clip that are taken as portraits."""
    targets: int = Field(24, gt=0)
    """Frames of a clip that are drawn, shared between its portraits."""
    hold_out: tuple[str, ...] = ()
    """Speakers of these splits that are kept for validation."""
    seed: int = Field(0, ge=0)
    """Which frames are chosen."""


class PairMaker:
    """Makes pairs, or reads those that were kept."""

    def __init__(self, corpus: Corpus, data: PairsData) -> None:
        self.corpus, self.data = corpus, data
        self.model = FaceModel.from_pretrained()
        self.mouth = Anatomy.of(self.model).mouth
        self._tracker: FaceTracker | None = None

    def __enter__(self) -> "PairMaker":
        return self

    def __exit__(self, *_: object) -> None:
        if self._tracker is not None:
            self._tracker.close()

    def read(self, clip: ClipRecord) -> dict[str, Tensor]:
        """A clip's pairs, as many as can be made."""
        depends = [clip.files[key].sha256 for key in (PICTURE, MOTION, TRACK)]
        depends += [str(clip.crop_box), str(self.data.references), str(self.data.targets), str(self.data.seed)]
        depends += [str(FORMAT), MeshRendererConfig().model_dump_json()]
        kept = cache_folder() / "pairs" / f"{hashlib.sha256(' '.join(depends).encode()).hexdigest()[:32]}.safetensors"
        if kept.is_file():
            try:
                return load_tensors(kept)
            except CheckpointError:  # damaged: made anew
                kept.unlink()
        made = self._make(clip)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(kept) as partial:
            save_tensors(partial, made)
        return made

    def _make(self, clip: ClipRecord) -> dict[str, Tensor]:
        motion = self.corpus.motion(clip)
        track = self.corpus.track(clip)
        pictures = list(_pictures(self.corpus.path(clip, PICTURE)))
        n_frames = min(len(pictures), len(motion), len(track.points))
        valid = track.valid[:n_frames] if motion.valid is None else track.valid[:n_frames] & motion.valid[:n_frames]
        opening = (motion["expression"][:n_frames] @ self.mouth).numpy()
        rng = np.random.default_rng((self.data.seed, int(clip.files[PICTURE].sha256[:8], 16)))
        places = chosen_frames(opening, np.flatnonzero(valid.numpy()), (self.data.references, self.data.targets), rng)
        assert clip.crop_box is not None
        left, top, side = clip.crop_box
        points = (track.points[..., :2] - torch.tensor([left, top])) * (SIDE / side)
        parts: list[dict[str, Tensor]] = []
        for reference, targets in places:
            portrait = self._portrait(pictures[reference])
            if portrait is None or not targets:
                continue
            part = self._drawn(portrait, motion, reference, targets)
            part["target"] = torch.from_numpy(np.stack([pictures[i] for i in targets]))
            part["points"] = points[targets]
            part["of"] = torch.full((len(targets),), len(parts))
            parts.append(part)
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]} if parts else _nothing()

    def _portrait(self, picture: UInt8[np.ndarray, "256 256 3"]) -> Portrait | None:
        self._tracker = self._tracker or FaceTracker()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a head turned far to the side: the network shall know it
                return load_portrait(picture, face="largest", model=self.model, tracker=self._tracker)
        except DeclaimError:
            return None

    def _drawn(self, portrait: Portrait, motion: Motion, reference: int, targets: Sequence[int]) -> dict[str, Tensor]:
        """The reference and guides, as `MeshRenderer.render` makes them with the anchor ``first``."""
        chosen = Motion(motion.values[[reference, *targets]], motion.layout, motion.fps)
        renderer = MeshRenderer(model=self.model)
        worn, poses = anchored(portrait, chosen, "first", self.model)
        puppet = Puppet(worn, self.model, renderer.config)
        offsets = self.model.offsets(chosen["expression"].float()).double().numpy()
        guide = puppet.frames(offsets, poses)[1:]
        drawn = torch.from_numpy(puppet.points(offsets, poses)[1:, :, :2]).float()
        told = coefficients(chosen["expression"], poses, picture_size(portrait), HeadSquare(0.0, 0.0, float(SIDE)))
        return {
            "reference": torch.from_numpy(portrait.image[None]),
            "own": told[:1],
            "own_points": portrait.landmarks[None, :, :2].float(),
            "guide": torch.from_numpy(guide),
            "coefficients": told[1:],
            "guide_points": drawn,
            "yaw_rad": yaw_pitch_roll(motion["rotation"][list(targets)])[:, 0],
        }


def chosen_frames(
    opening: Float[np.ndarray, " frames"],
    valid: np.ndarray,
    counts: tuple[int, int],
    rng: np.random.Generator,
) -> list[tuple[int, list[int]]]:
    """References of a clip with their targets: open and closed mouths alike.

    Args:
        opening: of the mouth.
        valid: numbers of the frames in which the face was seen.
        counts: references and targets.
        rng: chooses.
    """
    references, targets = counts
    if len(valid) < 2 * references:
        return []
    order = valid[np.argsort(opening[valid], kind="stable")]
    taken = [int(rng.choice(part)) for part in np.array_split(order, references)]
    others = np.setdiff1d(order, taken, assume_unique=True)
    others = others[np.argsort(opening[others], kind="stable")]
    parts = np.array_split(others, min(targets, len(others)))
    drawn = rng.permutation([int(rng.choice(part)) for part in parts])
    return [(reference, sorted(drawn[i::references].tolist())) for i, reference in enumerate(taken)]


def _pictures(path: Path) -> Iterator[UInt8[np.ndarray, "256 256 3"]]:
    whole = HeadSquare(0.0, 0.0, float(SIDE))
    for run in read_frames(path):
        side = run.images.shape[1]
        square = whole if side == SIDE else HeadSquare(0.0, 0.0, float(side))
        yield from square.cut(run.images, SIDE)


def _nothing() -> dict[str, Tensor]:
    pictures, points = torch.zeros(0, SIDE, SIDE, 3, dtype=torch.uint8), torch.zeros(0, N_POINTS, 2)
    rows = torch.zeros(0, N_COEFFICIENTS)
    return {
        "reference": pictures, "own": rows, "own_points": points, "guide": pictures, "coefficients": rows,
        "guide_points": points, "yaw_rad": torch.zeros(0), "target": pictures, "points": points,
        "of": torch.zeros(0, dtype=torch.long),
    }  # fmt: skip
