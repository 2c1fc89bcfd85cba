"""A portrait's own face in head space, and what expressions do to it."""

import numpy as np
from jaxtyping import Float

from declaim.face.model import FaceModel
from declaim.render.articulation import Articulation
from declaim.render.geometry import lift
from declaim.types import Portrait


class PortraitFace:
    """The portrait's points in head space, moved by expressions; lips and lids close when the model's do.

    Args:
        portrait: the picture.
        landmarks: its points, pixels; x right, y down, z away from the viewer.
        model: the face model.

    Attributes:
        own: the points as the picture has them, cm.
        rest: the same without the portrait's expression, cm.
    """

    def __init__(self, portrait: Portrait, landmarks: Float[np.ndarray, "points 3"], model: FaceModel) -> None:
        worn = model.offsets(portrait.expression).double().numpy()
        self._mean = model.mean.double().numpy()
        self.own = lift(landmarks, portrait)
        self.rest = self.own - worn
        self._articulation = Articulation(self._mean, self.own, self._mean + worn)

    def shapes(self, offsets: Float[np.ndarray, "frames points 3"]) -> Float[np.ndarray, "frames points 3"]:
        """The points in head space, cm.

        Args:
            offsets: the expressions' displacement of every point, ``B_exp b``, cm.
        """
        return self._articulation.correct(self.rest + offsets, self._mean + offsets)
