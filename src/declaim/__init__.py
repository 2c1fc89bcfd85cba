"""declaim: a portrait and speech become a talking-head video, with diffusion models.

Heavy parts are imported when first used, so ``import declaim`` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "DeclaimError": "declaim.errors",
    "Frames": "declaim.types",
    "Motion": "declaim.types",
    "Portrait": "declaim.types",
    "Speech": "declaim.types",
    "TalkingHead": "declaim.pipeline",
}

__all__ = ["DeclaimError", "Frames", "Motion", "Portrait", "Speech", "TalkingHead", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'declaim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
