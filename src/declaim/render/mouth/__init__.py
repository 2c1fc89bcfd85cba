"""The mouth renderer: mesh and one feed-forward network on the mouth's region, on the CPU, in real time."""

from declaim.render.mouth.config import MouthNetworkConfig, MouthRendererConfig
from declaim.render.mouth.network import MouthNetwork
from declaim.render.mouth.renderer import MouthRenderer

__all__ = ["MouthNetwork", "MouthNetworkConfig", "MouthRenderer", "MouthRendererConfig"]
