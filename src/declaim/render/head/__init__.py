"""The head renderer: a motion on a whole head in three dimensions, without any portrait."""

from declaim.render.head.renderer import HeadRenderer, HeadRendererConfig

__all__ = ["HeadRenderer", "HeadRendererConfig"]
