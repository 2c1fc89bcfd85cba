"""Settings of the mesh renderer."""

from pydantic import Field

from declaim.render.portrait_renderer import PortraitRendererConfig


class MeshRendererConfig(PortraitRendererConfig):
    """How a portrait is animated. Lengths are relative to the face, so pictures of any size look alike."""

    reach: float = Field(0.55, gt=0.1, le=2.0)
    """Distance, in face widths, over which the motion fades out beside and above the head."""
    neck_reach: float = Field(0.75, gt=0.1, le=2.0)
    """Distance, in face widths, over which the motion fades out from the jaw down to the torso."""
    cell: float = Field(0.055, gt=0.01, le=0.5)
    """Spacing of the mesh around the face, in face widths."""
    outline: bool = True
    """Let the fade-out follow the head's outline (found with GrabCut); otherwise it follows an ellipse."""
    mouth_interior: bool = True
    """Draw teeth, tongue and dark behind the opening lips."""
