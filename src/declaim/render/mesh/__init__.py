"""The mesh renderer: one portrait and a motion become frames, on the CPU, in real time."""

from declaim.render.mesh.config import MeshRendererConfig
from declaim.render.mesh.renderer import MeshRenderer

__all__ = ["MeshRenderer", "MeshRendererConfig"]
