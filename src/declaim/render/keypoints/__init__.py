"""The key-point renderer: a motion as the lines of a face, on a plain background."""

from declaim.render.keypoints.renderer import KeypointRenderer, KeypointRendererConfig

__all__ = ["KeypointRenderer", "KeypointRendererConfig"]
