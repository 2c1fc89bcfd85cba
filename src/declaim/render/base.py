"""What every renderer has in common: its registry name and how it is called.

A renderer is a class with ``render(portrait, motion, anchor) -> Iterator[Frames]`` (see `declaim.types.Renderer`),
registered in `declaim.registry.RENDERERS`. It yields frames in runs, so that memory does not grow with the clip.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

from declaim.types import Frames, Motion, Portrait

Anchor = Literal["first", "rest"]
"""What the portrait's own head pose stands for: the motion's first frame, or its zero."""


class AnchoredRenderer(Protocol):
    """A renderer that can be told what the portrait's own pose stands for."""

    def render(self, portrait: Portrait, motion: Motion, anchor: Anchor = "rest") -> Iterator[Frames]:
        """Yield the frames of ``motion`` in order."""
        ...
