"""Lips and lids that really close: the portrait's gaps follow the face model's, whatever the portrait shows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from declaim.face.layouts import (
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)

LIP_PAIRS = np.array([LIPS_INNER_UPPER[1:-1], LIPS_INNER_LOWER[1:-1]]).T
EYE_PAIRS = (
    np.array([RIGHT_EYE_UPPER[1:-1], RIGHT_EYE_LOWER[1:-1]]).T,
    np.array([LEFT_EYE_UPPER[1:-1], LEFT_EYE_LOWER[1:-1]]).T,
)
LIPS_SHUT_CM = 0.05
"""Gap of the tracker's inner lips, in cm, when a mouth is shut (5th percentile of speech with closures)."""
LIDS_SHUT = 0.3
"""Lid gap, relative to the open eye's, at which the tracker's lids are shut."""


@dataclass(frozen=True, eq=False)
class Aperture:
    """One opening between two rows of points, and how a change of its gap moves the skin around it.

    Attributes:
        pairs: upper and lower point of each pair.
        upper: share that each point takes of each pair's movement of the upper edge.
        lower: the same for the lower edge.
        upper_share: part of a gap's change that the upper edge does.
    """

    pairs: Int[np.ndarray, "pairs 2"]
    upper: Float[np.ndarray, "points pairs"]
    lower: Float[np.ndarray, "points pairs"]
    upper_share: float

    @classmethod
    def of(
        cls, pairs: Int[np.ndarray, "pairs 2"], rest: Float[np.ndarray, "points 3"], reach_cm: float, share: float
    ) -> "Aperture":
        """Spread the edges' movement over the skin within about ``reach_cm`` on their own side of the opening."""
        middle = rest[pairs].mean(1)
        order = np.argsort(middle[:, 0])
        line = np.interp(rest[:, 0], middle[order, 0], middle[order, 1])
        # the corners, and the skin beyond them, belong to both edges and stay
        beyond = np.maximum(np.abs(rest[:, 0] - middle[:, 0].mean()) - np.ptp(middle[:, 0]) / 2, 0)
        within = np.exp(-((beyond / (0.15 * reach_cm)) ** 2))
        edges = []
        for side, column in ((1.0, 0), (-1.0, 1)):
            edge = rest[pairs[:, column]]
            squared = ((rest[:, None, :2] - edge[None, :, :2]) ** 2).sum(-1)
            kernel = np.exp(-squared / (2 * (0.35 * reach_cm) ** 2)) + 1e-12
            fade = np.exp(-squared.min(1) / (2 * reach_cm**2))
            on_side = side * (rest[:, 1] - line) > -1e-6
            shares = kernel / kernel.sum(1, keepdims=True) * (fade * within * on_side)[:, None]
            shares[pairs.ravel()] = 0
            shares[pairs[:, column]] = np.eye(len(pairs))
            edges.append(shares)
        return cls(pairs, edges[0], edges[1], share)

    def gaps(self, shape: Float[np.ndarray, "*frames points 3"]) -> Float[np.ndarray, "*frames pairs"]:
        """Vertical gaps, cm."""
        return shape[..., self.pairs[:, 0], 1] - shape[..., self.pairs[:, 1], 1]

    def set_gaps(
        self,
        shape: Float[np.ndarray, "frames points 3"],
        wanted: Float[np.ndarray, "frames pairs"],
        meeting: Float[np.ndarray, "frames pairs"],
    ) -> Float[np.ndarray, "frames points 3"]:
        """A copy whose gaps are ``wanted``.

        Args:
            shape: head-space points, cm.
            wanted: vertical gaps, cm, >= 0.
            meeting: 0: the two points of a pair keep their offset along the opening; 1: they meet exactly.
        """
        apart = shape[:, self.pairs[:, 0]] - shape[:, self.pairs[:, 1]]
        goal = apart * (1 - meeting)[..., None]
        goal[..., 1] = wanted
        change = goal - apart
        return (
            shape
            + np.einsum("kp,fpc->fkc", self.upper, change * self.upper_share)
            - np.einsum("kp,fpc->fkc", self.lower, change * (1 - self.upper_share))
        )


class Articulation:
    """Corrects head-space shapes so that lips and lids close when the model's do.

    Args:
        mean: the face model's mean face at rest, cm.
        own: the portrait's points in head space, cm.
        worn: the model's mean face with the portrait's expression.
    """

    def __init__(
        self,
        mean: Float[np.ndarray, "points 3"],
        own: Float[np.ndarray, "points 3"],
        worn: Float[np.ndarray, "points 3"],
    ) -> None:
        self.lips = Aperture.of(LIP_PAIRS, mean, 1.0, 0.4)
        self.eyes = tuple(Aperture.of(pairs, mean, 0.45, 0.85) for pairs in EYE_PAIRS)
        self.own_lip_gap = self.lips.gaps(own)
        self.worn_lip_gap = np.maximum(self.lips.gaps(worn) - LIPS_SHUT_CM, 0)
        self.own_eye_gap = tuple(np.maximum(eye.gaps(own), 0) for eye in self.eyes)
        self.open_eye_gap = tuple(eye.gaps(mean).mean() for eye in self.eyes)
        self.worn_opening = tuple(
            float(eye.gaps(worn).mean() / mean_gap) for eye, mean_gap in zip(self.eyes, self.open_eye_gap, strict=True)
        )

    def correct(
        self, shapes: Float[np.ndarray, "frames points 3"], modelled: Float[np.ndarray, "frames points 3"]
    ) -> Float[np.ndarray, "frames points 3"]:
        """The portrait's shapes with closing lips and lids.

        Args:
            shapes: the portrait's rest shape moved by the motion's expressions.
            modelled: the model's mean face with the same expressions.
        """
        gap = np.maximum(self.lips.gaps(modelled) - LIPS_SHUT_CM, 0)
        # the part of the portrait's gap that the model does not know fades out as the lips close
        unknown = (self.own_lip_gap - self.worn_lip_gap) * np.minimum(1, (gap + 0.02) / (self.worn_lip_gap + 0.02))
        wanted = np.maximum(gap + unknown, np.minimum(self.own_lip_gap, 0))
        wide = np.maximum(self.own_lip_gap, 0.15)
        meeting = np.where(self.own_lip_gap > 0.1, 1 - np.clip(wanted / wide, 0, 1), 0)
        shapes = self.lips.set_gaps(shapes, wanted, meeting)
        for eye, own, mean_gap, worn in zip(
            self.eyes, self.own_eye_gap, self.open_eye_gap, self.worn_opening, strict=True
        ):
            now = lid_opening(eye.gaps(modelled).mean(1) / mean_gap)[:, None]
            then = float(lid_opening(np.array(worn)))
            wider = own / then if then > 0.35 else np.full_like(own, mean_gap)
            closing = np.minimum((now + 1e-3) / (then + 1e-3), 1)
            lids = own * closing + wider * np.maximum(now - then, 0)
            shapes = eye.set_gaps(shapes, lids, np.repeat(1 - closing, len(own), 1))
        return shapes


def lid_opening(ratio: Float[np.ndarray, "*frames"]) -> Float[np.ndarray, "*frames"]:
    """0 for shut lids, 1 for a relaxed open eye, from the tracked gap relative to the open eye's.

    The tracker's lids stop short of each other. What is missing is taken off the more the further they have closed, so
    that an open eye does not flutter more than it was seen to.
    """
    closing = np.clip((1 - ratio) / (1 - LIDS_SHUT), 0, 1)
    return np.asarray(np.maximum(ratio - LIDS_SHUT * closing**1.5, 0))
