"""Settings of the Shallow Diffusion Motion Model: the paper's numbers in ``paper()``, our own in ``default()``."""

from typing import Literal

from pydantic import Field, model_validator

from declaim.motion.config import ListenerConfig, MotionConfig


class PoseBranchConfig(ListenerConfig):
    """From content and pose modes to the main motion."""

    layers: int = Field(4, gt=0)
    """Convolutions of the content encoder (section 3)."""
    hidden: int = Field(96, gt=0)
    """Width of the motion encoder, of the decoder and of what finds pose modes in real motion."""
    mode: int = Field(16, gt=0)
    """Size of a pose mode z."""
    mode_frames: int = Field(25, gt=0)
    """Frames that share a pose mode."""


class RhythmBranchConfig(ListenerConfig):
    """From prosody to the dynamics."""

    dim: int = Field(48, gt=0)
    """Width."""
    layers: int = Field(3, gt=0)
    """Convolutions."""
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    """Dropout on every branch, in training."""
    speech_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of prosody values that are zeroed, in training."""
    speech_noise: float = Field(0.1, ge=0.0)
    """Noise on the normalised prosody, in standard deviations, in training."""


class DenoiserConfig(ListenerConfig):
    """The reverse process: it hears the two branches, not the speech."""

    dim: int = Field(96, gt=0)
    """Width."""
    layers: int = Field(3, gt=0)
    """Transformer layers."""
    heads: int = Field(4, gt=0)
    """Attention heads."""
    reach: int = Field(12, gt=0)
    """Frames to either side with a learnt relative place."""
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    """Dropout on every branch, in training."""
    speech_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of the branches' values that are zeroed, in training."""
    speech_noise: float = Field(0.0, ge=0.0)
    """Noise on what the branches give, in training."""


class SDMConfig(MotionConfig):
    """Two branches, the shallow reverse process, and the losses."""

    frames: int = Field(75, gt=1)
    """Frames of a training sequence and of a window."""
    prefix: int = Field(15, gt=0)
    """Finished frames that a window sees."""
    ahead: int = Field(10, ge=0)
    """Frames that a window generates and throws away: as far as the content encoder's convolutions look."""
    prefix_share: float = Field(1.0, ge=0.0, le=1.0)
    """Share of training sequences whose denoiser is given the prefix; the branches always are."""
    sampling_steps: int = Field(2, gt=0)
    """Sampling steps at inference, below the start."""
    lip_gain: float = Field(1.03, gt=0.0)
    """Amplitude of lip motion after sampling: on held-out training speakers it comes out at 1.00 of people's."""
    last_beta: float | None = Field(None, gt=0.0, lt=1.0)
    """Where the variances of the linear schedule end; left out: .02."""
    latent: int = Field(32, gt=0)
    """Size of a frame's latent M, in either branch."""
    pose: PoseBranchConfig | None = PoseBranchConfig()
    """The pose branch; ``none`` leaves it out: the paper's ablation."""
    rhythm: RhythmBranchConfig | None = RhythmBranchConfig()
    """The rhythm branch; ``none`` leaves it out: the paper's ablation."""
    denoiser: DenoiserConfig = DenoiserConfig()
    """The reverse process."""
    shallow: bool = True
    """Sample from the branches' noised motion; otherwise from noise alone, through the whole process: the paper's
    ablation."""
    start_step: int | None = Field(282, ge=0)
    """Step at which the reverse process starts; ``none``: the boundary predictor chooses it after training. With the
    last 20 of 50 steps, which begin at 282, lips lose nothing and heads turn 12 % less far before they are brought to
    people's speeds; the predictor asks for two thirds of the steps (docs/methods/sdm.md)."""
    boundary_threshold: float = Field(0.4, ge=0.0, le=1.0)
    """Margin of the boundary predictor that counts as small: DiffSinger's."""
    prosody_dim: int = Field(4, gt=0)
    """Columns of prosody at the end of the speech features."""
    independence: Literal["decorrelated", "printed"] = "decorrelated"
    """How eq. 5 is read: the branches' latents are uncorrelated, or, as it is printed, close together."""
    reg_weight: float = Field(1.0, ge=0.0)
    """Weight of eq. 4, lambda 1."""
    ind_weight: float = Field(1.0, ge=0.0)
    """Weight of eq. 5, lambda 2."""
    rec_weight: float = Field(1.0, ge=0.0)
    """Weight of eq. 10, lambda 3, for the branches and for the reverse process."""
    mode_weight: float = Field(0.02, ge=0.0)
    """Weight of the divergence of pose modes from a standard normal distribution."""
    lip_weight: float = Field(1.0, ge=0.0)
    """Weight of the squared error of the lip points."""
    opening_weight: float = Field(1.0, ge=0.0)
    """Weight of the squared error of the mouth's opening."""
    closure_weight: float = Field(2.0, ge=0.0)
    """Extra weight of the opening's error in frames with closed lips."""
    velocity_weight: float = Field(0.5, ge=0.0)
    """Weight of the losses on frame-to-frame differences."""
    mode_temperature: float = Field(0.7, ge=0.0, le=1.0)
    """Amplitude of drawn pose modes. With 1, heads turn further for their speed than people's: the median speed is 2.2
    times the turn's deviation within 8 s (a minute of speech), with .7 2.6 times, of training speakers 2.5 times."""
    lip_temperature: float = Field(0.3, ge=0.0, le=1.0)
    """Share of the starting noise that is left in the directions that move the lips."""
    lip_steps: int = Field(1, ge=1)
    """Sampling steps after which the lips are settled."""

    @model_validator(mode="after")
    def _fits(self) -> "SDMConfig":
        if self.pose is not None and self.new % self.pose.mode_frames:
            raise ValueError(
                f"a window has {self.new} new frames (frames - prefix - ahead), which pose modes of "
                f"{self.pose.mode_frames} frames do not divide; change pose.mode_frames or frames"
            )
        if self.pose is None and self.rhythm is None:
            raise ValueError("both branches are left out; keep pose or rhythm")
        if self.start_step is not None and self.start_step >= self.diffusion_steps:
            raise ValueError(f"start_step is {self.start_step}; the process has {self.diffusion_steps} steps")
        return self


def default() -> SDMConfig:
    """Small enough for two CPU cores; the shipped weights."""
    return SDMConfig()


def paper() -> SDMConfig:
    """The paper's numbers: mel features, four convolutions (section 3), weights 5, 2 and 1 (4.1), one frame at a time.

    T = 100, variances up to .06, a margin of .4 and all steps below the start are DiffSinger's, from which the
    mechanism comes. Sizes are ours. A window has one new frame: the ones before it only let convolutions look back.
    """
    quiet = {"dropout": 0.0, "speech_dropout": 0.0, "speech_noise": 0.0}
    return SDMConfig(
        encoder="mel", speech_dim=324, diffusion_steps=100, schedule="linear", last_beta=0.06, sampler="ddim",
        start_step=None, sampling_steps=100, frames=16, prefix=8, ahead=7, latent=128,
        pose=PoseBranchConfig(dim=256, hidden=256, mode_frames=1, **quiet),
        rhythm=RhythmBranchConfig(dim=128, **quiet), denoiser=DenoiserConfig(dim=256, layers=4, **quiet),
        independence="printed", reg_weight=5.0, ind_weight=2.0, rec_weight=1.0, lip_weight=0.0, opening_weight=0.0,
        closure_weight=0.0, velocity_weight=0.0, mode_temperature=1.0, lip_temperature=1.0, lip_steps=100, lip_gain=1.0,
        face_smoothing=0.0, seam_frames=0,
    )  # fmt: skip


def tiny() -> SDMConfig:
    """For tests: runs in milliseconds."""
    quiet = {"dropout": 0.0, "speech_dropout": 0.0, "speech_noise": 0.0}
    return SDMConfig(
        pose=PoseBranchConfig(dim=16, layers=1, hidden=16, mode=4, mode_frames=1, **quiet),
        rhythm=RhythmBranchConfig(dim=16, layers=1, **quiet),
        denoiser=DenoiserConfig(dim=16, layers=1, heads=2, reach=4, **quiet),
        diffusion_steps=20, sampling_steps=2, start_step=8, latent=8, frames=20, prefix=5, ahead=3,
    )  # fmt: skip
