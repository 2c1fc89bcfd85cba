"""Settings of a training run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrainConfig(BaseModel):
    """How long and how fast to learn."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps: int = Field(800, gt=0)
    """Optimiser steps."""
    batch_size: int = Field(16, gt=0)
    """Rows of a step, over all processes and accumulated pieces: more processes make it faster, not different."""
    accumulate: int = Field(1, gt=0)
    """Pieces in which a process takes its rows, one after the other: less memory, same result."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Mixed precision: matrix products in 16 bits; weights and the optimiser stay float32."""
    device: Literal["auto", "cpu"] = "auto"
    """``cpu`` leaves GPUs alone."""
    learning_rate: float = Field(1.5e-3, gt=0)
    """Peak learning rate: linear warm-up, then a half cosine to zero."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's decays of the mean gradient and of its mean square."""
    warmup: int = Field(100, ge=0)
    """Steps of warm-up."""
    weight_decay: float = Field(0.1, ge=0)
    """AdamW's weight decay, on matrices alone."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients longer than this are shortened."""
    ema: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights, which is what is validated and kept."""
    validate_every: int = Field(200, gt=0)
    """Steps between validations; the last step is always validated."""
    keep: Literal["last", "best"] = "last"
    """Which weights are kept in the end: those of the last step, or of the best validation."""
    best_by: str = ""
    """Figure that decides which validation is best; with a minus in front, smaller is better."""
    save_every: int = Field(250, gt=0)
    """Steps between checkpoints."""
    checkpoints: int = Field(2, gt=0)
    """Latest checkpoints that are kept."""
    log_every: int = Field(10, gt=0)
    """Steps that one point of the curves averages."""
    seed: int = Field(0, ge=0)
    """First weights, order of the batches, noise, dropout."""
