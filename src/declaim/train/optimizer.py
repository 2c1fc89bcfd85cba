"""The optimiser and its learning rate."""

import math

import torch
from torch import nn

from declaim.train.config import TrainConfig


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate of ``step`` (0-based): linear warm-up, half cosine to zero."""
    warm = min((step + 1) / max(config.warmup, 1), 1.0)
    return config.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * step / config.steps))


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; weight decay on matrices, none on biases, norms and relative places."""
    learnt = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in learnt if p.ndim > 1]
    others = [p for p in learnt if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)
