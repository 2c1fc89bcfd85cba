"""FD2Talk (Yao et al., MM 2024), motion stage: decoupled diffusion transformers for expression and head pose."""

from declaim.methods.fd2talk.config import DenoiserConfig, FD2TalkConfig, default, paper, tiny
from declaim.methods.fd2talk.method import FD2Talk
from declaim.motion.normalizer import Normalizer

__all__ = ["DenoiserConfig", "FD2Talk", "FD2TalkConfig", "Normalizer", "default", "paper", "tiny"]
