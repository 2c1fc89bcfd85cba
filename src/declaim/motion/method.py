"""The base of motion methods: speech of any length in windows, amplitudes, blinks, saved folders.

A method of its own says how one window is sampled (`MotionMethod.sample`) and what it learns from (`loss`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import ValidationError
from torch import Tensor, nn

from declaim.assets import shipped
from declaim.audio.activity import speech_activity
from declaim.diffusion.schedule import make_schedule
from declaim.diffusion.windows import Window, windows
from declaim.errors import CheckpointError
from declaim.face.layouts import FACE64
from declaim.motion.config import MotionConfig
from declaim.motion.normalizer import Normalizer
from declaim.motion.performance import Performance
from declaim.motion.prefetch import one_ahead
from declaim.motion.sampling import steps_to_visit
from declaim.motion.stream import LOOK_AHEAD_S, MotionStream, streamed
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
from declaim.timebase import SAMPLE_RATE
from declaim.types import Motion, OnStep, SpeechEncoder, Spoken

KIND = "motion-method"
ConfigT = TypeVar("ConfigT", bound=MotionConfig)
MethodT = TypeVar("MethodT", bound="MotionMethod[Any]")


class MotionMethod(nn.Module, Generic[ConfigT]):
    """A method over the face64 layout that samples window by window.

    Args:
        config: sizes and sampling.
        normalizer: units measured on the training footage; nothing measured if left out.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[MotionConfig]]
    layout = FACE64

    def __init__(self, config: ConfigT, normalizer: Normalizer | None = None) -> None:
        super().__init__()
        self.config = config
        self.normalizer = Normalizer.identity(config.speech_dim, FACE64.dim) if normalizer is None else normalizer
        self.schedule = make_schedule(config.schedule, config.diffusion_steps)
        self._encoder: SpeechEncoder | None = None

    def loss(
        self,
        speech: Float[Tensor, "batch frames features"],
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
        pose_mask: Bool[Tensor, "batch frames"] | None = None,
        seeds: Int64[Tensor, " batch"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of one batch, on the batch's device; ``"total"`` is the one to minimise.

        Args:
            speech: encoder features.
            motion: motion in its own units.
            mask: False in padding.
            pose_mask: frames whose pose counts, if not the same.
            seeds: of the sequences, for noise and diffusion steps (dropout apart); drawn if left out.
        """
        raise NotImplementedError

    def sample(
        self,
        heard: Float[Tensor, "window features"],
        finished: Float[Tensor, "prefix dim"],
        window: Window,
        visited: list[int],
        seed: int,
    ) -> Float[Tensor, "new dim"]:
        """Normalised motion of a window's new frames.

        Args:
            heard: normalised speech features of the window's frames.
            finished: normalised motion of the frames before ``window.start`` from ``window.begin`` on.
            window: which frames.
            visited: falling diffusion steps to visit.
            seed: the take.
        """
        raise NotImplementedError

    def visited(self, steps: int) -> list[int]:
        """The diffusion steps of a take, falling, at most ``steps``.

        Raises:
            ConfigError: more steps than there are, or none.
        """
        return steps_to_visit(self.schedule, self.config.sampler, steps)

    @property
    def encoder(self) -> SpeechEncoder:
        """The speech encoder that the networks were trained with."""
        if self._encoder is None:
            self._encoder = resolve(ENCODERS, self.config.encoder, kind="encoder")()
        return self._encoder

    def generate(
        self,
        speech: Spoken,
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
            steps: sampling steps; more cost more time.
            pose_scale: amplitude of head motion.
            expression_scale: amplitude of expression, blinks apart.
            blink_scale: depth of blinks; 0 for none.
            on_step: called with (frames done, frames in all).

        Raises:
            NoAudio: the speech is empty or not finite.
            ConfigError: an option is out of range.
        """
        encoder: Any = self.encoder
        blocks = one_ahead(encoder.stream(speech) if hasattr(encoder, "stream") else iter([encoder.encode(speech)]))
        return self.generate_from_features(
            blocks, speech.n_frames, active=speech_activity(speech), seed=seed, steps=steps, pose_scale=pose_scale,
            expression_scale=expression_scale, blink_scale=blink_scale, on_step=on_step,
        )  # fmt: skip

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
        performance = Performance(
            self, seed=seed, steps=steps, pose_scale=pose_scale, expression_scale=expression_scale,
            blink_scale=blink_scale,
        )  # fmt: skip
        active = torch.ones(n_frames, dtype=torch.bool) if active is None else active
        rows = []
        for window, features in self._windows(blocks, n_frames):
            speaking = active[window.start : window.stop]
            rows.append(performance.add(window, features, speaking, last=window.stop == n_frames))
            if on_step:
                on_step(window.stop, n_frames)
        return Motion(torch.cat(rows), FACE64)

    def open(
        self, sample_rate: int = SAMPLE_RATE, *, look_ahead_s: float = LOOK_AHEAD_S, **options: Any
    ) -> MotionStream:
        """A take of a speech that is still arriving: push chunks of sound, get the frames that are finished.

        Args:
            sample_rate: of the chunks, hertz.
            look_ahead_s: seconds of sound beyond a window that are awaited before it is sampled. More comes closer to
                `generate`; `declaim.motion.stream.WHOLE_S` gives the same bits.
            options: ``seed``, ``steps``, ``pose_scale``, ``expression_scale``, ``blink_scale`` of `generate`.

        Raises:
            ConfigError: an option is out of range, or the encoder needs the whole speech.
        """
        return MotionStream(self, sample_rate, look_ahead_s=look_ahead_s, **options)

    def stream(
        self, chunks: Iterable[Float[Tensor, " _"]], sample_rate: int = SAMPLE_RATE, **options: Any
    ) -> Iterator[Motion]:
        """Motion in parts while ``chunks`` of sound arrive; see `open`."""
        return streamed(self.open(sample_rate, **options), chunks)

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

    def save_pretrained(self, folder: Path, card: str = "") -> None:
        """Write a folder that `from_pretrained` reads: configuration, half-precision weights, units, model card."""
        with atomic_folder(Path(folder)) as partial:
            write_config(
                partial,
                {"kind": KIND, "method": self.name, "layout": FACE64.name, "config": self.config.model_dump()},
            )
            save_tensors(partial / WEIGHTS_FILE, half(self.state_dict()))
            self.normalizer.save(partial)
            self.save_parts(partial)
            (partial / CARD_FILE).write_text(card, encoding="utf-8")

    def save_parts(self, folder: Path) -> None:
        """Write what a method saves beside weights and units, into a folder that is still being made."""

    def load_parts(self, folder: Path) -> None:
        """Read what `save_parts` wrote; the weights are there already.

        Raises:
            CheckpointError: it is damaged.
        """

    @classmethod
    def from_pretrained(cls: type[MethodT], weights: str | Path | None = None) -> MethodT:
        """Load a saved folder, or the weights that ship with declaim (for None, or by name).

        Raises:
            CheckpointError: no such weights, or weights that do not fit this version.
        """
        folder = shipped(cls.name) if weights is None or weights == cls.name else Path(weights)
        saved = read_config(folder, KIND)
        if saved.get("method") != cls.name or saved.get("layout") != FACE64.name:
            raise CheckpointError(
                f"{folder} holds {saved.get('method')!r} over {saved.get('layout')!r}, "
                f"expected {cls.name!r} over {FACE64.name!r}; give other weights, or name their method"
            )
        try:
            config = cls.config_type.model_validate(saved.get("config"))
        except ValidationError as error:
            raise CheckpointError(f"{folder} has settings that this version does not know: {error}") from error
        method = cls(config, Normalizer.load(folder))
        load_into(method, load_tensors(folder / WEIGHTS_FILE), folder)
        method.load_parts(folder)
        return method.eval()
