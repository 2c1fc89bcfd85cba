"""Moving average of weights."""

import copy

import torch
from torch import nn


class MovingAverage:
    """An exponential moving average of a module's weights; early on it forgets faster, so that it never lags.

    Args:
        module: the module that is trained; it is copied.
        decay: share of the old average kept at each step, in the long run.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` (0-based); buffers (running statistics) are copied."""
        decay = min(self.decay, (step + 1) / (step + 10))
        for mean, new in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(new, 1.0 - decay)
        for kept, present in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(present)
