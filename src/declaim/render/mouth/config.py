"""Settings of the mouth renderer and of its network."""

from pydantic import BaseModel, ConfigDict, Field

from declaim.render.mesh import MeshRendererConfig
from declaim.render.patches import View


class MouthNetworkConfig(BaseModel):
    """Sizes of the network. All numbers are ours: they are what one processor core draws in time."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    patch_px: int = Field(96, ge=16, multiple_of=8)
    """Side of the mouth's patch in pixels."""
    patch_cm: float = Field(8.0, gt=0)
    """What it shows of the head: lips, the chin's upper half, cheeks beside the mouth."""
    above: float = Field(0.42, gt=0, lt=1)
    """Share of the patch above the corners of the mouth: the jaw moves down."""
    channels: tuple[int, ...] = (32, 56, 104)
    """At a half of the patch's side, a quarter, an eighth."""
    blocks: tuple[int, ...] = (1, 1, 2)
    """Residual blocks at each of them, on the way down and again on the way up."""
    told: int = Field(128, gt=0)
    """Width of what the coefficients become before they steer the blocks."""
    feather: float = Field(0.12, gt=0, le=0.5)
    """Share of the patch over which its edge fades out."""

    @property
    def view(self) -> View:
        """The patch."""
        return View(self.patch_px, self.patch_cm, self.above)


class MouthRendererConfig(MeshRendererConfig):
    """How a portrait is animated: as the mesh renderer does, and the mouth anew."""

    own_teeth: tuple[float, float] | None = (0.045, 0.058)
    """A portrait that shows its teeth keeps them, as the mesh renderer moves them: the gap between its lips, in heights
    of the face, from which this begins, and from which nothing is drawn anew. The network, which learnt from people
    about to speak, makes broad smiles dull. ``none``: draw every mouth."""


def default() -> MouthNetworkConfig:
    """What ships."""
    return MouthNetworkConfig()


def tiny() -> MouthNetworkConfig:
    """For tests."""
    return MouthNetworkConfig(patch_px=32, channels=(8, 8, 8), blocks=(1, 1, 1), told=8)
