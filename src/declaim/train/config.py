"""Settings of a training run."""

from pydantic import BaseModel, ConfigDict, Field


class TrainConfig(BaseModel):
    """How long and how fast to learn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(800, gt=0)
    """Optimiser steps."""
    batch_size: int = Field(16, gt=0)
    """Sequences in a batch."""
    learning_rate: float = Field(1.5e-3, gt=0)
    """Peak learning rate: linear warm-up, then a half cosine to zero."""
    warmup: int = Field(100, ge=0)
    """Steps of warm-up."""
    weight_decay: float = Field(0.1, ge=0)
    """AdamW's weight decay, on matrices alone."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients longer than this are shortened."""
    ema: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights that is kept in the end."""
    save_every: int = Field(250, gt=0)
    """Steps between checkpoints."""
    seed: int = 0
    """Order of the batches and noise."""
