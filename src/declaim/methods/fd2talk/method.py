"""FD2Talk's motion stage as a method: train it, sample it for speech of any length, save and load it."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import ValidationError
from torch import Tensor, nn

from declaim.assets import shipped
from declaim.audio.activity import speech_activity
from declaim.diffusion.noise import frame_noise, row_generators
from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.schedule import make_schedule, spaced_steps
from declaim.diffusion.windows import Window, windows
from declaim.errors import CheckpointError, ConfigError
from declaim.face.layouts import FACE64
from declaim.methods.fd2talk.blinks import blink_path
from declaim.methods.fd2talk.config import FD2TalkConfig, default
from declaim.methods.fd2talk.network import MotionDenoiser
from declaim.methods.fd2talk.normalizer import N_EXPRESSION, Normalizer
from declaim.methods.fd2talk.objective import first_stage_losses
from declaim.methods.fd2talk.sampling import joined, sample_window
from declaim.methods.fd2talk.silence import calmed
from declaim.methods.fd2talk.smoothing import smoothed
from declaim.pretrained import (
    CARD_FILE,
    WEIGHTS_FILE,
    atomic_folder,
    half,
    load_into,
    load_tensors,
    read_config,
    save_tensors,
    write_config,
)
from declaim.registry import ENCODERS, resolve
from declaim.types import Motion, OnStep, Speech, SpeechEncoder

KIND = "motion-method"
N_POSE = 6


class FD2Talk(nn.Module):
    """Two diffusion transformers over expression and head pose, conditioned on speech.

    Args:
        config: sizes and sampling; `default()` when left out.
        normalizer: units measured on the training footage.
    """

    name = "fd2talk"
    layout = FACE64

    def __init__(self, config: FD2TalkConfig | None = None, normalizer: Normalizer | None = None) -> None:
        super().__init__()
        self.config = config = default() if config is None else config
        self.normalizer = Normalizer.identity(config.speech_dim, FACE64.dim) if normalizer is None else normalizer
        self.schedule = make_schedule(config.schedule, config.diffusion_steps)
        common = (config.speech_dim, config.band, config.diffusion_steps)
        self.expression = MotionDenoiser(N_EXPRESSION, *common, config.expression)
        self.pose = MotionDenoiser(N_POSE, *common, config.pose)
        self._encoder: SpeechEncoder | None = None

    # --- training ----------------------------------------------------------------------------------------------------

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        pose_mask: Bool[Tensor, "batch frames"] | None = None,
        seeds: Int64[Tensor, " batch"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of one batch at random diffusion steps, on the batch's device.

        Args:
            speech: encoder features.
            motion: motion in its own units.
            mask: False in padding.
            pose_mask: frames whose pose counts, if not the same.
            seeds: of the sequences, for noise and diffusion steps (dropout apart); drawn if left out.
        """
        dim, device = motion.shape[-1], motion.device
        units = self.normalizer.to(device)
        heard_speech, x0 = units.normal_speech(speech), units.normal_motion(motion)
        seeds = torch.randint(2**62, (len(motion),)) if seeds is None else seeds
        drawn = [self._draw(generator, motion.shape[1], dim) for generator in row_generators(seeds)]
        steps, eps, given, levels = (torch.stack(column).to(device) for column in zip(*drawn, strict=True))
        estimates = []
        for network, columns, step, level in (
            (self.expression, slice(0, N_EXPRESSION), steps[:, 0], levels[:, 0]),
            (self.pose, slice(N_EXPRESSION, dim), steps[:, 1], levels[:, 1]),
        ):
            clean = x0[..., columns]
            x_t = torch.where(given[..., None], clean, q_sample(clean, eps[..., columns], level))
            estimates.append(network(x_t, step, network.listen(heard_speech), given))
        pose_mask = mask if pose_mask is None else pose_mask
        return first_stage_losses(x0, torch.cat(estimates, -1), mask, pose_mask, config=self.config, normalizer=units)

    def _draw(self, generator: torch.Generator, frames: int, dim: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is random about one sequence: two diffusion steps, noise, the frames given clean, the steps' levels."""
        steps = torch.randint(len(self.schedule), (2,), generator=generator)
        eps = torch.randn(frames, dim, generator=generator)
        has_prefix = torch.rand(1, generator=generator) < self.config.prefix_share
        given = has_prefix & (torch.arange(frames) < self.config.prefix)
        return steps, eps, given, self.schedule.alpha_bar[steps].float()[:, None, None]

    # --- inference ---------------------------------------------------------------------------------------------------

    @property
    def encoder(self) -> SpeechEncoder:
        """The speech encoder that the networks were trained with."""
        if self._encoder is None:
            self._encoder = resolve(ENCODERS, self.config.encoder, kind="encoder")()
        return self._encoder

    def generate(
        self,
        speech: Speech,
        *,
        seed: int = 0,
        steps: int | None = None,
        pose_scale: float = 1.0,
        expression_scale: float = 1.0,
        blink_scale: float = 1.0,
        on_step: OnStep | None = None,
    ) -> Motion:
        """Motion for ``speech``, relative to rest, one row per frame of ``speech.n_frames``.

        Args:
            speech: any length and sample rate.
            seed: the take; equal seeds give equal motion, bit for bit, however the speech is cut into blocks.
            steps: DDIM steps; more cost more time.
            pose_scale: amplitude of head motion.
            expression_scale: amplitude of expression, blinks apart.
            blink_scale: depth of blinks; 0 for none.
            on_step: called with (frames done, frames in all).

        Raises:
            NoAudio: the speech is empty or not finite.
            ConfigError: an option is out of range.
        """
        encoder: Any = self.encoder
        blocks = encoder.stream(speech) if hasattr(encoder, "stream") else iter([encoder.encode(speech)])
        return self.generate_from_features(
            blocks, speech.n_frames, active=speech_activity(speech), seed=seed, steps=steps, pose_scale=pose_scale,
            expression_scale=expression_scale, blink_scale=blink_scale, on_step=on_step,
        )  # fmt: skip

    @torch.inference_mode()
    def generate_from_features(
        self,
        blocks: Iterable[Float[Tensor, "_ features"]],
        n_frames: int,
        *,
        active: Bool[Tensor, " frames"] | None = None,
        seed: int = 0,
        steps: int | None = None,
        pose_scale: float = 1.0,
        expression_scale: float = 1.0,
        blink_scale: float = 1.0,
        on_step: OnStep | None = None,
    ) -> Motion:
        """`generate` for speech features that come in consecutive blocks; memory holds one window of them.

        ``active`` says which frames hold speech (all of them if it is left out): in pauses the lips are calm.
        """
        _check_scales(pose_scale=pose_scale, expression_scale=expression_scale, blink_scale=blink_scale)
        visited = spaced_steps(len(self.schedule), self.config.sampling_steps if steps is None else steps)
        was_training = self.training
        self.eval()
        normal = torch.zeros(n_frames, FACE64.dim)
        for window, features in self._windows(blocks, n_frames):
            heard = self.normalizer.normal_speech(features)
            normal[window.start : window.stop, :N_EXPRESSION] = self._expression(heard, normal, window, visited, seed)
            normal[window.start : window.stop, N_EXPRESSION:] = self._pose(heard, normal, window, visited, seed)
            if on_step:
                on_step(window.stop, n_frames)
        self.train(was_training)
        values = self._amplified(normal, active, pose_scale, expression_scale)
        blinks = blink_path(n_frames, self.normalizer.blink_path, self.normalizer.blink_timing, seed)
        values[:, :N_EXPRESSION] += blink_scale * blinks
        return Motion(values.clone(), FACE64)

    def _windows(
        self, blocks: Iterable[Float[Tensor, "_ features"]], n_frames: int
    ) -> Iterator[tuple[Window, Float[Tensor, "window features"]]]:
        """The windows with their features, holding no more of these than a window and a block."""
        source = iter(blocks)
        held, first = torch.zeros(0, self.config.speech_dim), 0
        for window in windows(n_frames, self.config.new, self.config.prefix, self.config.ahead):
            while first + len(held) < window.end:
                held = torch.cat([held, next(source)])
            held, first = held[window.begin - first :], window.begin
            yield window, held[: len(window)]

    def _expression(
        self,
        heard: Float[Tensor, "window features"],
        normal: Float[Tensor, "frames dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new expression"]:
        """Normalised expression of a window's new frames; the lips start cooler and settle early."""
        finished = normal[window.begin : window.start, :N_EXPRESSION]
        noise = frame_noise(seed, 0, window.start, window.end, N_EXPRESSION)
        noise = self.normalizer.scale_lips(noise, self.config.lip_temperature)
        settle = (self.config.lip_steps, self.normalizer.along_lips)
        sampled = sample_window(self.expression, heard, finished, noise, self.schedule, visited=visited, settle=settle)
        return joined(sampled, finished, self.config.seam_frames)[: window.stop - window.start]

    def _pose(
        self,
        heard: Float[Tensor, "window features"],
        normal: Float[Tensor, "frames dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new pose"]:
        """Normalised pose of a window's new frames; the first window continues from a head at rest."""
        finished = normal[window.begin : window.start, N_EXPRESSION:]
        if window.start == 0:
            finished = torch.zeros(self.config.prefix, N_POSE)
            heard = torch.cat([heard[:1].expand(self.config.prefix, -1), heard])
        noise = frame_noise(seed, 1, window.start, window.end, N_POSE)
        sampled = sample_window(self.pose, heard, finished, noise, self.schedule, visited=visited)
        return joined(sampled, finished, self.config.seam_frames)[: window.stop - window.start]

    def _amplified(
        self,
        normal: Float[Tensor, "frames dim"],
        active: Bool[Tensor, " frames"] | None,
        pose_scale: float,
        expression_scale: float,
    ) -> Float[Tensor, "frames dim"]:
        """Motion in its own units with the amplitudes asked for and calm lips in pauses."""
        units, config = self.normalizer, self.config
        expression = units.scale_lips(normal[:, :N_EXPRESSION], config.lip_gain)
        values = units.raw_motion(torch.cat([expression, normal[:, N_EXPRESSION:]], 1))
        lips = values[:, :N_EXPRESSION] @ units.lip_basis @ units.lip_basis.T
        others = smoothed(values[:, :N_EXPRESSION] - lips, config.face_smoothing)
        if active is not None:
            lips = calmed(lips, active)
        pose = smoothed(values[:, N_EXPRESSION:], config.pose_smoothing)
        values[:, :N_EXPRESSION] = expression_scale * (lips + others)
        values[:, N_EXPRESSION:] = pose * (pose_scale * float(units.pose_amplitude))
        return values

    # --- saved folders -----------------------------------------------------------------------------------------------

    def save_pretrained(self, folder: Path, card: str = "") -> None:
        """Write a folder that `from_pretrained` reads: configuration, half-precision weights, units, model card."""
        with atomic_folder(Path(folder)) as partial:
            write_config(
                partial,
                {"kind": KIND, "method": self.name, "layout": FACE64.name, "config": self.config.model_dump()},
            )
            save_tensors(partial / WEIGHTS_FILE, half(self.state_dict()))
            self.normalizer.save(partial)
            (partial / CARD_FILE).write_text(card, encoding="utf-8")

    @classmethod
    def from_pretrained(cls, weights: str | Path | None = None) -> "FD2Talk":
        """Load a saved folder, or the weights that ship with declaim (for None, or by name).

        Raises:
            CheckpointError: no such weights, or weights that do not fit this version.
        """
        folder = shipped(cls.name) if weights is None or weights == cls.name else Path(weights)
        saved = read_config(folder, KIND)
        if saved.get("method") != cls.name or saved.get("layout") != FACE64.name:
            raise CheckpointError(
                f"{folder} holds {saved.get('method')!r} over {saved.get('layout')!r}, "
                f"expected {cls.name!r} over {FACE64.name!r}"
            )
        try:
            config = FD2TalkConfig.model_validate(saved.get("config"))
        except ValidationError as error:
            raise CheckpointError(f"{folder} has settings that this version does not know: {error}") from error
        method = cls(config, Normalizer.load(folder))
        load_into(method, load_tensors(folder / WEIGHTS_FILE), folder)
        return method.eval()


def _check_scales(**scales: float) -> None:
    for name, scale in scales.items():
        if not (math.isfinite(scale) and scale >= 0.0):
            raise ConfigError(f"{name} is {scale}; expected a number of at least 0")
