"""DiffPoseTalk (Sun et al., SIGGRAPH 2024): expression and head pose in one, in the style of a reference."""

from declaim.methods.diffposetalk.config import (
    DenoiserConfig,
    DiffPoseTalkConfig,
    LossConfig,
    StyleConfig,
    default,
    paper,
    tiny,
)
from declaim.methods.diffposetalk.method import DiffPoseTalk

__all__ = [
    "DenoiserConfig",
    "DiffPoseTalk",
    "DiffPoseTalkConfig",
    "LossConfig",
    "StyleConfig",
    "default",
    "paper",
    "tiny",
]
