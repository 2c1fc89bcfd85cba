"""The linear face model ``S = S_mean + B_id a + B_exp b`` over the tracker's 478 points.

Paper: FD2Talk (MM 2024), eq. 1, with bases fitted from tracked footage by ``declaim train face-model``.
Points are in head space, cm: x to the viewer's right, y up, z toward the viewer. Coefficients are in standard
deviations.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from declaim.assets import shipped
from declaim.errors import CheckpointError
from declaim.face.camera import Pose, estimate_pose, unproject
from declaim.pretrained import (
    WEIGHTS_FILE,
    atomic_folder,
    half,
    load_tensors,
    read_config,
    save_tensors,
    write_config,
)

KIND = "face-model"


class PortraitFit(NamedTuple):
    """What `FaceModel.fit_portrait` finds in one picture.

    Attributes:
        identity: a.
        expression: b that the face wears in the picture.
        pose: head pose; ``project(shape, pose, size)`` gives the tracked points back, but for ``corrective``.
        shape: the tracked points in head space, cm, freed of pose (and of the tracker's errors at turned heads).
        rest: ``shape - B_exp b``: this person's face at rest, with all detail that the bases do not hold.
    """

    identity: Float[Tensor, " identity"]
    expression: Float[Tensor, " expression"]
    pose: Pose
    shape: Float[Tensor, "points 3"]
    rest: Float[Tensor, "points 3"]


@dataclass(frozen=True, eq=False)
class FaceModel:
    """The bases of the face model.

    Attributes:
        mean: the mean face at rest, cm.
        identity_basis: shape change in cm for one standard deviation of each identity coefficient.
        expression_basis: shape change in cm for one standard deviation of each expression coefficient.
        fit_weights: how much each coordinate counts when expressions are fitted (lips, eyes and brows more).
        stability: how much each point counts in pose estimation: inverse variance while faces speak.
        pose_corrective: the tracker's error in cm for each of `pose_features`; taken off tracked shapes, not rendered.
        triangles: the tracker's mesh, 468 points; counter-clockwise as the viewer sees it.
    """

    mean: Float[Tensor, "points 3"]
    identity_basis: Float[Tensor, "identity points 3"]
    expression_basis: Float[Tensor, "expression points 3"]
    fit_weights: Float[Tensor, "points 3"]
    stability: Float[Tensor, " points"]
    pose_corrective: Float[Tensor, "features points 3"]
    triangles: Int[Tensor, "triangles 3"]

    def points(
        self,
        expression: Float[Tensor, "*batch expression"],
        identity: Float[Tensor, "*other identity"] | None = None,
    ) -> Float[Tensor, "*batch points 3"]:
        """The face ``S_mean + B_id a + B_exp b`` in cm; the mean identity if none is given.

        Paper: FD2Talk (MM 2024), eq. 1.
        """
        shape = self.mean + self.offsets(expression)
        return shape if identity is None else shape + _combine(identity, self.identity_basis)

    def offsets(self, expression: Float[Tensor, "*batch expression"]) -> Float[Tensor, "*batch points 3"]:
        """How an expression moves the points, in cm: ``B_exp b``. Add it to any person's rest shape."""
        return _combine(expression, self.expression_basis)

    def fit_expression(
        self, shape: Float[Tensor, "*batch points 3"], rest: Float[Tensor, "points 3"]
    ) -> Float[Tensor, "*batch expression"]:
        """The expression b that takes a person's rest shape nearest to ``shape`` (weighted least squares)."""
        return (shape - rest).flatten(-2) @ self._expression_solver

    def pose_free(
        self,
        points: Float[Tensor, "*batch points 3"],
        size: tuple[int, int],
        rest: Float[Tensor, "points 3"] | None = None,
    ) -> tuple[Float[Tensor, "*batch points 3"], Pose]:
        """Tracked points brought into head space: the shape in cm and the head pose that was taken out.

        Args:
            points: the tracker's points in pixels.
            size: width and height of the picture.
            rest: the person's rest shape; the mean face if unknown.
        """
        pose = estimate_pose(points, self.mean if rest is None else rest, self.stability, size)
        return unproject(points, pose, size) - self.corrective(pose.rotation), pose

    def corrective(self, rotation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch points 3"]:
        """The error in cm that the tracker makes when the head is turned by ``rotation`` (axis-angle)."""
        return _combine(pose_features(rotation), self.pose_corrective)

    def fit_identity(
        self, shape: Float[Tensor, "points 3"], noise_cm: float = 0.1
    ) -> tuple[Float[Tensor, " identity"], Float[Tensor, " expression"]]:
        """Identity a and expression b of one shape: the most probable pair under unit-variance normal priors.

        Args:
            shape: a face in head space, cm.
            noise_cm: what a coordinate may deviate from the model; larger values keep a and b nearer to zero.
        """
        solution: Tensor = self._joint_solver(noise_cm) @ (self.fit_weights * (shape - self.mean)).flatten()
        n = len(self.identity_basis)
        return solution[:n], solution[n:]

    def fit_portrait(
        self, points: Float[Tensor, "points 3"], size: tuple[int, int], noise_cm: float = 0.1
    ) -> PortraitFit:
        """Identity, expression and pose of a single picture (maximum a posteriori).

        Args:
            points: the tracker's points in pixels.
            size: width and height of the picture.
            noise_cm: see `fit_identity`.
        """
        rest: Tensor | None = None
        for _ in range(3):  # the rest shape and the pose depend on each other; three rounds settle below 1e-3 cm
            shape, pose = self.pose_free(points, size, rest)
            identity, expression = self.fit_identity(shape, noise_cm)
            rest = self.mean + _combine(identity, self.identity_basis)
        return PortraitFit(identity, expression, pose, shape, shape - self.offsets(expression))

    def _joint_solver(self, noise_cm: float) -> Float[Tensor, "coefficients coordinates"]:
        basis = torch.cat([self.identity_basis, self.expression_basis])
        weighted = (self.fit_weights * basis).flatten(1).double()
        normal = weighted @ weighted.T + noise_cm**2 * torch.eye(len(basis), dtype=torch.float64)
        solver: Tensor = torch.linalg.solve(normal, weighted)
        return solver.to(self.mean.dtype)

    @cached_property
    def _expression_solver(self) -> Float[Tensor, "coordinates expression"]:
        weights = self.fit_weights.flatten().double()
        weighted = self.expression_basis.flatten(1).double() * weights
        solver: Tensor = torch.linalg.solve(weighted @ weighted.T, weighted) * weights
        return solver.T.to(self.mean.dtype)

    @classmethod
    def from_pretrained(cls, folder: Path | None = None) -> "FaceModel":
        """Read a folder written by `save_pretrained`; the model that ships with declaim if none is given.

        Raises:
            CheckpointError: the folder holds no face model of this format.
        """
        folder = shipped("face-model") if folder is None else folder
        read_config(folder, KIND)
        tensors = load_tensors(Path(folder) / WEIGHTS_FILE)
        names = {field.name for field in fields(cls)}
        if set(tensors) != names:
            raise CheckpointError(f"{folder} is no face model: it holds {sorted(tensors)}, expected {sorted(names)}")
        return cls(**{n: t.float() if t.is_floating_point() else t.long() for n, t in tensors.items()})

    def save_pretrained(self, folder: Path, card: str = "", **config: object) -> None:
        """Write the folder (half precision) with its card and the facts in ``config``."""
        tensors = half({f.name: getattr(self, f.name) for f in fields(self)})
        tensors["triangles"] = self.triangles.to(torch.int16)
        with atomic_folder(folder) as partial:
            write_config(partial, {"kind": KIND, **config})
            save_tensors(partial / WEIGHTS_FILE, tensors)
            (partial / "README.md").write_text(card, encoding="utf-8")


def _combine(
    coefficients: Float[Tensor, "*batch n"], basis: Float[Tensor, "n points 3"]
) -> Float[Tensor, "*batch points 3"]:
    flat: Tensor = coefficients @ basis.flatten(1)
    return flat.reshape(*flat.shape[:-1], *basis.shape[1:])


TURN_LIMIT = 0.35
"""Turn in rad (20 degrees) beyond which the tracker's error is no longer extrapolated."""


def pose_features(rotation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 5"]:
    """Nod and turn (axis-angle x and y, rad, softly limited), their squares and product: zero for a frontal head.

    Tilt is left out: the tracker turns its crop upright first, so it makes no error that depends on it. With tilt, or
    without the limit, the corrective makes matters worse on heads that turn further than those of the fit.
    """
    x, y, _ = (TURN_LIMIT * torch.tanh(rotation / TURN_LIMIT)).unbind(-1)
    return torch.stack([x, y, x * x, y * y, x * y], -1)
