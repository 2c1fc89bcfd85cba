"""LVE, FDD and MOD on the vertices of a whole head, as 3-D talking heads are scored.

Both motions take one way there: b, the mean identity's 52 ARKit coefficients, vertices; so neither the person's shape
nor the tracker's offsets for him enter. Head pose is left out.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError
from declaim.face.arkit import arkit_from_motion
from declaim.face.head3d import Head3D
from declaim.face.model import FaceModel
from declaim.metrics.functional import lip
from declaim.types import Motion

MM = 10.0
"""Millimetres in a centimetre."""


def head_scores(
    generated: Motion, truth: Motion, head: Head3D | None = None, model: FaceModel | None = None
) -> dict[str, float]:
    """How far a generated motion's head is from the true one's, in mm.

    ``lve_head_mm``: mean over frames of the farthest lip vertex; ``fdd_head_mm``: spread of the upper face's vertices
    over time, truth minus generated; ``mod_head_mm``: mean absolute difference of the mouth's opening. Frames in which
    one of the two has no face count in none of them.

    Args:
        generated: a motion as long as the truth.
        truth: the tracked motion.
        head: the head; the shipped one if None.
        model: the face model of both motions; the shipped one if None.

    Raises:
        ConfigError: they differ in length, or no frame is valid in both.
    """
    if len(generated) != len(truth):
        raise ConfigError(
            f"generated motion has {len(generated)} frames, the truth {len(truth)}; cut them to one length"
        )
    seen = torch.ones(len(truth), dtype=torch.bool)
    for motion in (generated, truth):
        seen = seen if motion.valid is None else seen & motion.valid
    if not bool(seen.any()):
        raise ConfigError("no frame shows a face in both motions: there is nothing to compare")
    head = Head3D.from_pretrained() if head is None else head
    model = FaceModel.from_pretrained() if model is None else model
    return arkit_scores_on(head, arkit_from_motion(generated, model)[seen], arkit_from_motion(truth, model)[seen])


def arkit_scores_on(
    head: Head3D, generated: Float[Tensor, "frames 52"], truth: Float[Tensor, "frames 52"]
) -> dict[str, float]:
    """`head_scores` of coefficients, all frames counting."""
    used = torch.unique(torch.cat([head.lips, head.upper_face, head.mouth_upper, head.mouth_lower]))
    lips, upper_face, *pairs = (
        torch.searchsorted(used, v).tolist() for v in (head.lips, head.upper_face, head.mouth_upper, head.mouth_lower)
    )
    made, real = head.shape(generated, used), head.shape(truth, used)
    return {
        "lve_head_mm": MM * float(lip.lve(made, real, lips)),
        "fdd_head_mm": MM * float(lip.fdd(made, real, upper_face)),
        "mod_head_mm": MM * float(lip.mod(made, real, *pairs)),
    }
