"""Settings that every motion method has."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from declaim.nn.speech_path import SpeechPath


class ListenerConfig(BaseModel):
    """A network that hears speech: its width, and the heavy regularisation that few speakers ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dim: int = Field(128, gt=0)
    """Width."""
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    """Dropout on every branch, in training."""
    speech_dropout: float = Field(0.5, ge=0.0, lt=1.0)
    """Share of speech feature values that are zeroed, in training."""
    speech_noise: float = Field(0.8, ge=0.0)
    """Noise on the normalised speech features, in standard deviations, in training."""

    def speech_path(self, speech_dim: int, layers: int) -> SpeechPath:
        """The way of speech features of this width into the network, through so many convolutions."""
        return SpeechPath(
            speech_dim, self.dim, layers=layers, dropout=self.dropout, speech_dropout=self.speech_dropout,
            noise=self.speech_noise,
        )  # fmt: skip


class MotionConfig(BaseModel):
    """Speech features, diffusion process, windows and what is done to sampled motion."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    encoder: str = "whisper-tiny.en"
    """Speech encoder's registered name."""
    speech_dim: int = Field(772, gt=0)
    """Width of the speech features."""
    diffusion_steps: int = Field(1000, gt=0)
    """Steps of the diffusion process in training."""
    schedule: Literal["linear", "cosine"] = "cosine"
    """Noise schedule."""
    sampler: Literal["ddim", "dpmpp"] = "dpmpp"
    """How a window is sampled: DDIM, or DPM-Solver++'s second order, whose few steps move as far as many."""
    sampling_steps: int = Field(5, gt=0)
    """Sampling steps at inference. With 5, heads and faces move as far as with 50, to 1 %; with 4, up to 6 % less."""
    frames: int = Field(75, gt=1)
    """Frames of a training sequence and of a window."""
    prefix: int = Field(15, ge=0)
    """Finished frames that a window sees."""
    ahead: int = Field(5, ge=0)
    """Frames that a window generates and throws away."""
    prefix_share: float = Field(0.6, ge=0.0, le=1.0)
    """Share of training sequences that are given a prefix."""
    lip_gain: float = Field(1.15, gt=0.0)
    """Amplitude of lip motion after sampling: on held-out training speakers it comes out at .87 of people's."""
    face_smoothing: float = Field(1.5, ge=0.0)
    """Standard deviation, in frames, of the Gaussian that takes the last jitter off brows and cheeks; their training
    targets were smoothed like this."""
    seam_frames: int = Field(8, ge=0)
    """Frames over which a window's first frames are bent onto the last ones of the window before."""

    @property
    def training_frames(self) -> int:
        """Frames of a training sequence."""
        return self.frames

    @property
    def new(self) -> int:
        """New frames per window."""
        return self.frames - self.prefix - self.ahead
