"""The commands of the main path: ``declaim generate`` and ``declaim motion``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from declaim.apps.cli.motion_out import OUTPUT_SUFFIXES, write_take
from declaim.apps.cli.options import (
    BlinkScale,
    Crop,
    ExpressionScale,
    Face,
    Head,
    Lips,
    Method,
    Output,
    PortraitArgument,
    PoseScale,
    Quiet,
    RendererName,
    SameLips,
    Seed,
    Size,
    SpeechArgument,
    SpeechGuidance,
    Steps,
    StyleGuidance,
    StyleName,
    TakeCount,
    Weights,
    crop_choice,
    face_choice,
)
from declaim.apps.cli.preflight import (
    MOTION_SUFFIXES,
    VIDEO_SUFFIXES,
    check_input,
    check_output,
    ensure_assets,
    speech_encoder,
)
from declaim.apps.cli.progress import report, stages
from declaim.apps.cli.style import styled
from declaim.apps.cli.takes import Plan, Reel
from declaim.timebase import FPS

if TYPE_CHECKING:
    from declaim.motion.casting import Cast


def generate(
    portrait: PortraitArgument,
    speech: SpeechArgument,
    output: Output = Path("out.mp4"),
    seed: Seed = 0,
    takes: TakeCount = None,
    same_lips: SameLips = False,
    motion_out: Annotated[Path | None, typer.Option(help="Also write the motion (.npz, .csv, .json or .glb).")] = None,
    method: Method = "fd2talk",
    lips: Lips = None,
    head: Head = None,
    renderer: RendererName = "mesh",
    weights: Weights = None,
    face: Face = None,
    size: Size = None,
    crop: Crop = "none",
    pose_scale: PoseScale = 1.0,
    expression_scale: ExpressionScale = 1.0,
    blink_scale: BlinkScale = 1.0,
    steps: Steps = None,
    style: StyleName = None,
    speech_guidance: SpeechGuidance = None,
    style_guidance: StyleGuidance = None,
    quiet: Quiet = False,
) -> None:
    """Make PORTRAIT say SPEECH.

    With --takes 3: out-1.mp4 to out-3.mp4, all of them on a contact sheet (out-sheet.png), their poses (out-poses.svg).

    Example: [bold]declaim generate me.jpg hello.wav -o hello.mp4 --seed 7[/bold]
    """
    started = time.monotonic()
    check_input(portrait, "portrait")
    check_input(speech, "speech")
    plan = Plan.of(takes, seed, same_lips)
    videos, motion_files = plan.files(output), [] if motion_out is None else plan.files(motion_out)
    for path in videos:
        check_output(path, VIDEO_SUFFIXES)
    for path in motion_files:
        check_output(path, MOTION_SUFFIXES)
    cast = _cast(method, weights, lips, head, "face-landmarker", quiet=quiet)
    from declaim.apps.cli.speech import read_speech
    from declaim.export import save_motion
    from declaim.pipeline import TalkingHead
    from declaim.render.base import make_renderer

    drawing = make_renderer(renderer)
    reel = Reel(plan)
    with stages(quiet) as bars:
        spoken = styled(cast.load(), style, speech_guidance, style_guidance, bars, quiet=quiet)
        clips = TalkingHead(spoken, drawing).takes(
            portrait, read_speech(speech), plan.seeds, same_lips=same_lips, face=face_choice(face),
            crop=crop_choice(crop), size=size, on_step=bars.stage("speech to motion"),
            **_motion_options(pose_scale, expression_scale, blink_scale, steps),
        )  # fmt: skip
        on_step = bars.noted("motion to pictures")
        for number, clip in enumerate(clips):
            if motion_files:
                save_motion(motion_files[number], clip.motion, pose_origin="rest")
            reel.write(clip, videos[number], on_step)
    reel.finish(output, videos, quiet=quiet)
    seconds = len(reel.motions[0]) / float(FPS)
    report(videos, started, quiet, f" ({seconds:.1f} s of video)")


def motion(
    speech: SpeechArgument,
    output: Output = Path("motion.npz"),
    seed: Seed = 0,
    takes: TakeCount = None,
    same_lips: SameLips = False,
    method: Method = "fd2talk",
    lips: Lips = None,
    head: Head = None,
    weights: Weights = None,
    pose_scale: PoseScale = 1.0,
    expression_scale: ExpressionScale = 1.0,
    blink_scale: BlinkScale = 1.0,
    steps: Steps = None,
    style: StyleName = None,
    speech_guidance: SpeechGuidance = None,
    style_guidance: StyleGuidance = None,
    quiet: Quiet = False,
) -> None:
    """Turn SPEECH into a motion file: face-model coefficients, head pose and the 52 ARKit curves.

    The suffix chooses the format: .npz (everything), .csv (Live Link Face columns), .json, .glb (an animated head;
    its sound lies beside it, motion-speech.wav) or .mp4 (a video of that head).

    With --takes 3: three numbered files, and a picture of their head poses (motion-poses.svg).

    Example: [bold]declaim motion hello.wav -o hello.csv[/bold]
    """
    started = time.monotonic()
    check_input(speech, "speech")
    plan = Plan.of(takes, seed, same_lips)
    files = plan.files(output)
    for path in files:
        check_output(path, OUTPUT_SUFFIXES)
    cast = _cast(method, weights, lips, head, quiet=quiet)
    from declaim.apps.cli.speech import read_speech
    from declaim.motion.takes import performances

    reel = Reel(plan)
    with stages(quiet) as bars:
        spoken = styled(cast.load(), style, speech_guidance, style_guidance, bars, quiet=quiet)
        made = performances(
            spoken, read_speech(speech), plan.seeds, same_lips=same_lips, on_step=bars.stage("speech to motion"),
            **_motion_options(pose_scale, expression_scale, blink_scale, steps),
        )  # fmt: skip
        on_step = bars.noted("motion to pictures")
        for path, take in zip(files, made, strict=True):
            write_take(path, take, speech, on_step)
            reel.motions.append(take)
    reel.finish(output, files, quiet=quiet)
    report(files, started, quiet, f" ({len(reel.motions[0])} frames)")


def _cast(method: str, weights: Path | None, lips: str | None, head: str | None, *parts: str, quiet: bool) -> "Cast":
    """Who plays; ``parts`` and the speech encoders that the methods need are fetched."""
    from declaim.assets import ASSETS
    from declaim.motion.casting import Cast

    cast = Cast.named(method, weights, lips=lips, head=head)
    encoders = dict.fromkeys(speech_encoder(role.method, role.weights) for role in cast.roles)
    ensure_assets(*parts, *(name for name in encoders if name in ASSETS), quiet=quiet)  # others fetch nothing
    return cast


def _motion_options(pose: float, expression: float, blink: float, steps: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"pose_scale": pose, "expression_scale": expression, "blink_scale": blink}
    return options if steps is None else {**options, "steps": steps}
