"""What every renderer has in common: its registry name and how it is called.

A renderer is a class with ``render(portrait, motion, anchor) -> Iterator[Frames]`` (see `declaim.types.Renderer`),
registered in `declaim.registry.RENDERERS`. It yields frames in runs, so that memory does not grow with the clip. One
that draws with a network loads other weights with ``from_pretrained(folder)``; those that ship are loaded when needed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

from declaim.errors import ConfigError
from declaim.registry import RENDERERS, resolve
from declaim.types import Frames, Motion, Portrait

Anchor = Literal["first", "rest"]
"""What the portrait's own head pose stands for: the motion's first frame, or its zero."""


class AnchoredRenderer(Protocol):
    """A renderer that can be told what the portrait's own pose stands for."""

    def render(self, portrait: Portrait, motion: Motion, anchor: Anchor = "rest") -> Iterator[Frames]:
        """Yield the frames of ``motion`` in order."""
        ...


def make_renderer(choice: str) -> Any:
    """A renderer by its registered name, or by ``NAME=FOLDER`` with weights from that folder.

    Raises:
        ConfigError: no such renderer, or one without weights was given some.
        AssetError: no weights were named, and none ship with this declaim.
        CheckpointError: the weights are missing or of another kind.
    """
    name, _, folder = choice.partition("=")
    kind = resolve(RENDERERS, name, kind="renderer")
    if hasattr(kind, "from_pretrained"):
        return kind.from_pretrained(Path(folder) if folder else None)
    if folder:
        raise ConfigError(f"the renderer {name} draws without weights; got {folder}: leave it out (--renderer {name})")
    return kind()
