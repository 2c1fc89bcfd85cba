"""The linear map between expressions b and FLAME's, fitted to the points that both models have.

The holder of FLAME writes these arrays of that model into one .npz (docs/head.md has the lines), with the MediaPipe
landmark embedding that comes with it:

    v_template (V, 3)   expression (V, 3, n)   joints (5, 3)   weights (V, 5)   faces (F, 3)
    lmk_face_idx (p,)   lmk_b_coords (p, 3)    landmark_indices (p,)
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import CheckpointError
from declaim.face.alignment import similarity
from declaim.face.model import FaceModel
from declaim.face.rotations import cross_matrix

NOISE_CM = 0.05
"""What a point may be off before a coefficient leaves its usual size; see `FaceModel.fit_identity`."""
ROOT, NECK, JAW = 0, 1, 2
"""FLAME's joints."""
_NAMES = (
    "v_template", "expression", "joints", "weights", "faces", "lmk_face_idx", "lmk_b_coords", "landmark_indices",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class FlamePlace:
    """Where FLAME's head lies in declaim's head space: ``scale * turn @ point + offset`` is in cm.

    By default as if it had the same axes and origin.

    Attributes:
        turn: FLAME's axes in head space.
        scale: centimetres in FLAME's unit.
        offset: cm.
        root: about which FLAME turns the head, in its own unit.
        neck: about which it turns the neck.
    """

    turn: Float[Tensor, "3 3"] = field(default_factory=lambda: torch.eye(3))
    scale: float = 100.0
    offset: Float[Tensor, " 3"] = field(default_factory=lambda: torch.zeros(3))
    root: Float[Tensor, " 3"] = field(default_factory=lambda: torch.zeros(3))
    neck: Float[Tensor, " 3"] = field(default_factory=lambda: torch.zeros(3))

    def into_flame(
        self, rotation: Float[Tensor, "frames 3 3"], translation: Float[Tensor, "frames 3"]
    ) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:
        """FLAME's rotation and translation that put its head where a motion has ours."""
        turn = rotation @ self.turn
        return turn, (rotation @ self.offset + translation) / self.scale + turn @ self.root - self.root

    def out_of_flame(
        self, rotation: Float[Tensor, "frames 3 3"], neck: Float[Tensor, "frames 3 3"],
        translation: Float[Tensor, "frames 3"],
    ) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:  # fmt: skip
        """The inverse of `into_flame`; a turned neck turns the whole head about its joint."""
        turn = rotation @ neck
        moved = translation + self.root - rotation @ self.root + rotation @ self.neck - turn @ self.neck
        ours = turn @ self.turn.T
        return ours, self.scale * moved - ours @ self.offset


@dataclass(frozen=True, eq=False)
class FlameMap:
    """Two small matrices and a place, made from the holder's model.

    Attributes:
        to_flame: from b to FLAME's expressions and the jaw's turn (axis-angle, rad).
        from_flame: from those to b.
        place: where FLAME's head lies.
    """

    to_flame: Float[Tensor, "expression coefficients"]
    from_flame: Float[Tensor, "coefficients expression"]
    place: FlamePlace

    def coefficients(
        self, expression: Float[Tensor, "frames expression"]
    ) -> tuple[Float[Tensor, "frames n"], Float[Tensor, "frames 3"]]:
        """FLAME's expressions and jaw pose that move its face as b moves ours."""
        both = expression @ self.to_flame
        return both[:, :-3], both[:, -3:]

    def expression(
        self, expr: Float[Tensor, "frames n"], jaw: Float[Tensor, "frames 3"]
    ) -> Float[Tensor, "frames expression"]:
        """The b that moves our face as these move FLAME's; further coefficients than the first n are taken as zero.

        Raises:
            CheckpointError: there are more of them than the model has.
        """
        known = len(self.from_flame) - 3
        if expr.shape[1] > known:
            raise CheckpointError(f"{expr.shape[1]} expression coefficients, but the FLAME model given has {known}")
        return expr @ self.from_flame[: expr.shape[1]] + jaw @ self.from_flame[-3:]

    @classmethod
    def fit(cls, path: str | Path, model: FaceModel | None = None, noise_cm: float = NOISE_CM) -> "FlameMap":
        """The map of a holder's model: the most probable coefficients under unit-variance priors, both ways.

        The jaw's turn is taken as small (its points move along its tangent).

        Args:
            path: the arrays named in the module.
            model: the face model of b; the shipped one if None.
            noise_cm: what a point may be off.

        Raises:
            CheckpointError: the file does not hold them.
        """
        model = FaceModel.from_pretrained() if model is None else model
        flame = _read(Path(path))
        corners = flame["faces"].long()[flame["lmk_face_idx"].long()]

        def at(values: Tensor) -> Tensor:
            """Of the landmarks, from values of the vertices."""
            return torch.einsum("pc,pc...->p...", flame["lmk_b_coords"], values[corners])

        points, chosen = at(flame["v_template"]), flame["landmark_indices"].long()
        onto_face = similarity(points, model.mean[chosen])
        turns = torch.stack([(points - flame["joints"][JAW]) @ cross_matrix(axis).T for axis in torch.eye(3)])
        moves = torch.cat([at(flame["expression"]).movedim(-1, 0), at(flame["weights"])[:, JAW, None] * turns])
        theirs, ours = (
            (moves @ onto_face.matrix).flatten(1).double(),
            model.expression_basis[:, chosen].flatten(1).double(),
        )
        place = FlamePlace(
            onto_face.rotation, onto_face.scale, onto_face.offset, flame["joints"][ROOT], flame["joints"][NECK]
        )
        return cls(_best(ours, theirs, noise_cm).float(), _best(theirs, ours, noise_cm).float(), place)


def _best(
    given: Float[Tensor, "given rows"], basis: Float[Tensor, "basis rows"], noise: float
) -> Float[Tensor, "given basis"]:
    """Coefficients of ``basis`` whose sum comes nearest to each row of ``given``, under unit-variance normal priors."""
    normal = basis @ basis.T + noise**2 * torch.eye(len(basis), dtype=basis.dtype)
    result: Tensor = torch.linalg.solve(normal, basis @ given.T).T
    return result


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix.lower() == ".pkl":
        raise CheckpointError(
            f"{path} is a pickle, which declaim never opens; docs/head.md says how to make it an .npz"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: torch.from_numpy(file[name].astype(np.float32)) for name in _NAMES}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} does not hold {', '.join(_NAMES)} of FLAME: {error}") from error
    shapes = {name: tuple(found[name].shape) for name in ("v_template", "expression", "joints", "weights")}
    count = len(found["v_template"])
    expected = [(count, 3), (count, 3), (5, 3), (count, 5)]
    if [s[:2] for s in shapes.values()] != expected or len(shapes["expression"]) != 3:
        raise CheckpointError(f"{path} does not hold FLAME's arrays: they have the shapes {shapes}")
    return found
