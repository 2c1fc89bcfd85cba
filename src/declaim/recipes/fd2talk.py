"""Train FD2Talk's motion stage: ``python -m declaim.recipes.fd2talk --footage DIR -o RUN``.

Tracks and encodes the footage's ``train`` clips once (into the cache folder), trains both transformers, and writes
RUN/weights, a folder that ``FD2Talk.from_pretrained`` reads. Stop it at any time; the same command goes on.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from declaim.assets import cache_folder
from declaim.audio.encoders import WhisperTinyEncoder
from declaim.data.manifest import FootageClip, read_manifest
from declaim.data.prepare import PreparedClip, load_prepared, prepare
from declaim.data.sampling import BalancedSampler
from declaim.data.sync import shifted, sync_offsets
from declaim.errors import ConfigError, DeclaimError
from declaim.face.model import FaceModel
from declaim.methods.fd2talk import FD2Talk, FD2TalkConfig, default, tiny
from declaim.methods.fd2talk.calibrate import calibrated_pose
from declaim.methods.fd2talk.measure import measure
from declaim.methods.fd2talk.targets import Anatomy
from declaim.train.config import TrainConfig
from declaim.train.loop import train
from declaim.train.validate import Figures, mouth_figures, opening_curves

SPEEDS = (1.0, 0.9, 1.12)
"""Tempos of the training speech. The two others act as further speakers: on held-out training speakers outside GRID a
regression's mouth correlation rises from .52 to .55 with them."""

CLIPS_PER_SPEAKER, TEMPO_CLIPS = 120, 40
"""Most clips of one speaker that are used, and that are also used at other tempos: one GRID speaker has 300."""
CALIBRATION_CLIPS, CALIBRATION_FRAMES = 20, 200
"""The amplitude of head motion is set on this many clips of at least this many frames."""

HELD_OUT = (
    "grid-s3", "grid-s26", "grid-new2", "hdtf-rd-radio4", "hdtf-rd-radio18", "video-retalking-5",
    "styletalk-kristinoem", "latentsync-demo3-video", "mimictalk-trump-10s", "sadtalker-rd-radio2",
)  # fmt: skip
"""Training speakers on which choices were made; with ``--hold-out`` they are kept for validation."""

CARD = """# FD2Talk motion stage

Two diffusion transformers (expression, head pose) from speech to motion in the face64 layout, {parameters} parameters.

- Made by `{command}` with declaim's default settings: {steps} steps of {batch} sequences, seed {seed}.
- Data: the footage's `train` split, {speakers} speakers, {clips} clips; its manifest names every source and licence.
- Speech features: OpenAI Whisper tiny.en (MIT), not part of these files.
- Licence: Apache-2.0.
{figures}"""


def training_clips(footage: Path, hold_out: bool) -> tuple[list[FootageClip], list[FootageClip]]:
    """Clips to learn from and clips to validate on, all of split ``train``."""
    clips = first_of_each(read_manifest(footage, ("train",)), CLIPS_PER_SPEAKER)
    held = [clip for clip in clips if hold_out and clip.speaker in HELD_OUT]
    return [clip for clip in clips if clip not in held], held


def first_of_each(clips: Sequence[FootageClip], most: int) -> list[FootageClip]:
    """At most ``most`` clips of every speaker, the first ones."""
    seen: Counter[str] = Counter()
    kept = []
    for clip in clips:
        seen[clip.speaker] += 1
        if seen[clip.speaker] <= most:
            kept.append(clip)
    return kept


def prepare_all(
    clips: Sequence[FootageClip], folder: Path, on_clip: Callable[[int, int], None]
) -> list[tuple[FootageClip, DeclaimError]]:
    """Prepare every clip at its own tempo, the first ones of every speaker at the others too."""
    encoder, first = WhisperTinyEncoder(), first_of_each(clips, TEMPO_CLIPS)
    rest = [clip for clip in clips if clip not in first]
    refused = prepare(first, folder, encoder, SPEEDS, lambda done, _: on_clip(done, len(clips)))
    return refused + prepare(rest, folder, encoder, (1.0,), lambda done, _: on_clip(len(first) + done, len(clips)))


def batch_losses(sampler: BalancedSampler) -> Callable[[nn.Module, int], Mapping[str, Tensor]]:
    """The loss function of the training loop."""

    def losses(module: nn.Module, step: int) -> Mapping[str, Tensor]:
        batch = sampler.batch(step)
        assert isinstance(module, FD2Talk)
        return module.loss(batch.features, batch.target, batch.mask, batch.pose_mask)

    return losses


def clip_offsets(clips: Sequence[PreparedClip], model: FaceModel) -> dict[str, int]:
    """Frames by which each clip's picture is late, by name."""
    mouth = Anatomy.of(model).mouth
    openings = [clip.motion[:, : len(mouth)] @ mouth for clip in clips]
    found = sync_offsets([clip.speaker for clip in clips], [clip.features for clip in clips], openings)
    return dict(zip((clip.name for clip in clips), found, strict=True))


def in_step(clip: PreparedClip, offset: float) -> PreparedClip:
    """``clip`` with its motion moved by ``offset`` frames, so that lips and sound agree."""
    frames = round(offset)
    valid = shifted(clip.valid[:, None].float(), frames)[:, 0] == 1.0
    return replace(clip, motion=shifted(clip.motion, frames), valid=valid)


def validate(method: FD2Talk, clips: Sequence[PreparedClip], model: FaceModel, seeds: Sequence[int]) -> Figures:
    """Mouth correlation and amplitude of generated motion on held-out clips."""
    mouth = Anatomy.of(model).mouth

    def generate(features: Tensor, seed: int) -> Tensor:
        return method.generate_from_features([features], len(features), seed=seed).values

    def opening(motion: Tensor) -> Tensor:
        return motion[:, : len(mouth)] @ mouth

    triples = [(clip.speaker, clip.features, clip.motion) for clip in clips]
    return mouth_figures(opening_curves(generate, triples, opening, seeds))


def run(
    footage: Path, output: Path, config: FD2TalkConfig, settings: TrainConfig, *, hold_out: bool, command: str
) -> Figures:
    """Prepare, measure, train, save; the figures on held-out speakers (empty without any).

    Args:
        footage: folder with ``manifest.csv`` and clips.
        output: the run's folder.
        config: the method.
        settings: the training.
        hold_out: keep the `HELD_OUT` speakers for validation.
        command: written into the model card.
    """
    learnt, held = training_clips(footage, hold_out)
    folder = cache_folder() / "prepared" / config.encoder
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
               TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns) as progress:
        bar = progress.add_task("tracking and encoding", total=len(learnt) + len(held))
        on_clip = _bar(progress, bar)
        for clip, error in prepare_all([*learnt, *held], folder, on_clip):
            progress.console.print(f"left out {clip.name}: {error}")
        model = FaceModel.from_pretrained()
        originals = load_prepared(folder, learnt)
        if not originals:
            raise ConfigError(f"no clip of {footage} can be learnt from: see the reasons above")
        offsets = clip_offsets(originals, model)
        others = [clip for speed in SPEEDS[1:] for clip in load_prepared(folder, learnt, speed)]
        others, originals = (
            [in_step(clip, offsets[clip.name] / clip.speed) for clip in c] for c in (others, originals)
        )
        measured = measure([*originals, *others], originals, model)
        torch.manual_seed(settings.seed)
        method = FD2Talk(config, measured.normalizer)
        sampler = BalancedSampler(measured.material, config.frames, settings.batch_size, seed=settings.seed)
        bar = progress.add_task("training", total=settings.steps)

        def on_step(done: int, total: int, losses: Mapping[str, float]) -> None:
            progress.update(bar, completed=done, description=f"training, loss {losses['total']:.3f}")

        identity = {"method": config.model_dump(), "clips": len(measured.material), "hold_out": hold_out}
        average = train(method, batch_losses(sampler), settings, output, run=identity, on_step=on_step)
    assert isinstance(average, FD2Talk)
    speeches = [clip.features for clip in originals if len(clip) >= CALIBRATION_FRAMES][:CALIBRATION_CLIPS]
    average.normalizer = calibrated_pose(average, measured.normalizer, speeches or [originals[0].features])
    figures = validate(average, load_prepared(folder, held), model, (0, 1, 2)) if held else {}
    card = CARD.format(
        parameters=f"{sum(p.numel() for p in average.parameters()):,}", command=command, steps=settings.steps,
        batch=settings.batch_size, seed=settings.seed, speakers=len({c.speaker for c in learnt}),
        clips=len(originals), figures="".join(f"- Held-out speakers, {k}: {v:.3f}\n" for k, v in figures.items()),
    )  # fmt: skip
    average.save_pretrained(output / "weights", card)
    return figures


def _bar(progress: Progress, bar: object) -> Callable[[int, int], None]:
    def on_step(done: int, total: int) -> None:
        progress.update(bar, completed=done, total=total)  # type: ignore[arg-type]

    return on_step


def main(arguments: list[str] | None = None) -> int:
    """The command; 0, or the error's exit code."""
    parser = argparse.ArgumentParser(prog="python -m declaim.recipes.fd2talk", description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="folder with manifest.csv and clips/")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--steps", type=int, default=TrainConfig().steps, help="optimiser steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hold-out", action="store_true", help="validate on ten of the training speakers")
    parser.add_argument("--tiny", action="store_true", help="a network for tests")
    parser.add_argument("--threads", type=int, help="processor threads")
    chosen = parser.parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    try:
        if chosen.steps < 1:
            raise ConfigError(f"--steps is {chosen.steps}; expected at least 1")
        settings = TrainConfig(steps=chosen.steps, seed=chosen.seed)
        command = f"python -m declaim.recipes.fd2talk --steps {chosen.steps} --seed {chosen.seed}"
        config = tiny() if chosen.tiny else default()
        figures = run(chosen.footage, chosen.output, config, settings, hold_out=chosen.hold_out, command=command)
    except DeclaimError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
