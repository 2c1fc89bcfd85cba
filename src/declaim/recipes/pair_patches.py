"""What networks of patches learn from: patches of pairs, and where in them the mouth is."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from declaim.face.layouts import LIPS_INNER
from declaim.face.model import FaceModel
from declaim.metrics.extractors import VGG16Features
from declaim.recipes.pairs import SIDE, Look, Pair, PairChanges, Pairs, PairSampler
from declaim.render.cutout import HeadSquare
from declaim.render.patches import View
from declaim.render.regions import lips_mask, shown_mask

WIDER = 0.04
"""How far the mouth's mask reaches beyond the inner lips, in sides of the patch."""
WHOLE = HeadSquare(0.0, 0.0, float(SIDE))


@dataclass(frozen=True, eq=False)
class Patches:
    """The patches of one row.

    Attributes:
        portrait: of the portrait.
        guide: of the mesh renderer's picture.
        target: of the clip's frame.
        mouth: 1 inside the lips and a little beyond, fading out; in the target.
        shown: how much of the network's picture is shown.
        lips: 1 on the mesh renderer's lips and between them, fading out.
    """

    portrait: UInt8[np.ndarray, "side side 3"]
    guide: UInt8[np.ndarray, "side side 3"]
    target: UInt8[np.ndarray, "side side 3"]
    mouth: Float[np.ndarray, "side side"]
    shown: Float[np.ndarray, "side side"]
    lips: Float[np.ndarray, "side side"]


def cut_patches(pair: Pair, view: View) -> Patches:
    """The patches of a pair; guide and target are cut at one place, the one at which the mouth is drawn.

    Moving the target so that its tracked lips lie on the guide's was tried: they are .3 px apart on average, and the
    pictures are no more alike.
    """
    portrait = view.place(pair.own_points.numpy(), pair.own, WHOLE).moved(*pair.moved[0])
    place = view.place(pair.guide_points.numpy(), pair.coefficients, WHOLE).moved(*pair.moved[1])
    inner = place.inside(pair.points[list(LIPS_INNER)].double().numpy())
    drawn = place.inside(pair.guide_points.double().numpy())
    return Patches(
        portrait.cut(pair.reference), place.cut(pair.guide), place.cut(pair.target), mouth_mask(inner, view.px),
        shown_mask(drawn, view), lips_mask(drawn, view),
    )  # fmt: skip


def mouth_mask(lips: Float[np.ndarray, "n 2"], side: int) -> Float[np.ndarray, "side side"]:
    """1 within the inner lips' outline and a little beyond, fading out."""
    mask = np.zeros((side, side), np.uint8)
    outline = np.round(np.nan_to_num(lips).clip(-side, 2 * side) * 16).astype(np.int32)
    cv2.fillPoly(mask, [outline], 255, shift=4)
    cv2.polylines(mask, [outline], True, 255, shift=4)  # closed lips count, too
    reach = max(round(WIDER * side), 1)
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(reach / 2, 0.5))
    return np.asarray(soft)


class PatchSampler:
    """Draws rows of patches; each depends on seed, batch number and its place alone.

    Args:
        pairs: what is drawn from.
        model: the face model of the coefficients.
        view: which patches.
        changes: how pictures are changed.
        seed: the order.
    """

    def __init__(self, pairs: Pairs, model: FaceModel, view: View, changes: PairChanges, seed: int) -> None:
        self.pairs, self.view = PairSampler(pairs, model, changes, seed), view

    def batch(self, number: int, rows: range) -> Mapping[str, Tensor]:
        """Changed patches 0 to 1, coefficients, masks."""
        made = [self._row(self.pairs.pair(number, row)) for row in rows]
        return {name: torch.stack([one[name] for one in made]) for name in made[0]}

    def plain(self, indices: list[int]) -> Mapping[str, Tensor]:
        """Pairs as they are."""
        as_it_is = Look(1.0, 1.0, (0.0, 0.0, 0.0), 0.0, 0)
        made = [self._row(self.pairs.whole(index, False, as_it_is)) for index in indices]
        return {name: torch.stack([one[name] for one in made]) for name in made[0]}

    def _row(self, pair: Pair) -> dict[str, Tensor]:
        patches = cut_patches(pair, self.view)
        portrait, guide, target = pair.look.of([patches.portrait, patches.guide, patches.target])
        masks = {name: torch.from_numpy(getattr(patches, name)) for name in ("mouth", "shown", "lips")}
        told = {"coefficients": pair.coefficients, "own": pair.own}
        return {"portrait": portrait, "guide": guide, "target": target, **masks, **told}


def perceptual_distance(
    features: VGG16Features, patches: Float[Tensor, "rows 3 h w"], targets: Float[Tensor, "rows 3 h w"]
) -> float:
    """How far patches, 0 to 1, are from their targets in what VGG16 sees of their 8-bit pictures; mean over rows."""
    a, b = (
        (rows.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
        for rows in (patches, targets)
    )
    return float(features.appearance(a).distance(features.appearance(b)).mean())
