"""SDM (Zhang et al., APWeb-WAIM 2022): pose modes and rhythm from speech, refined by shallow diffusion."""

from declaim.methods.sdm.config import SDMConfig, default, paper, tiny
from declaim.methods.sdm.method import SDM

__all__ = ["SDM", "SDMConfig", "default", "paper", "tiny"]
