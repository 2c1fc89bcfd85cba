"""The commands of the main path: generate, motion, render, track, demo."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from declaim.apps.cli.preflight import (
    MOTION_SUFFIXES,
    VIDEO_SUFFIXES,
    check_input,
    check_output,
    ensure_assets,
    speech_encoder,
)
from declaim.apps.cli.progress import Stages, console, stages

PortraitArgument = Annotated[
    Path, typer.Argument(help="The picture: a photo, painting or cartoon with one face, or a video (its first frame).")
]
SpeechArgument = Annotated[Path, typer.Argument(help="The speech: any audio file, or a video (its sound is taken).")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]
Seed = Annotated[int, typer.Option(min=0, help="Another seed is another performance; the same seed, the same file.")]
Method = Annotated[str, typer.Option(help="The system that turns speech into motion.")]
RendererName = Annotated[str, typer.Option("--renderer", help="The renderer that turns motion into pictures.")]
Face = Annotated[
    str | None, typer.Option(help="Which face, if there are several: [bold]largest[/bold], or 0, 1, … from the left.")
]
Size = Annotated[
    int | None, typer.Option(min=64, max=4096, help="Longer side of the video in pixels [default: the picture's own].")
]
Crop = Annotated[str, typer.Option(help="[bold]head[/bold] cuts a square around head and shoulders.")]
PoseScale = Annotated[float, typer.Option(min=0.0, max=3.0, help="Head motion: 0 still, 1 natural, 2 twice as much.")]
ExpressionScale = Annotated[float, typer.Option(min=0.0, max=3.0, help="Mouth and face: 0 still, 1 natural.")]
BlinkScale = Annotated[float, typer.Option(min=0.0, max=3.0, help="Blinks: 0 none, 1 natural.")]
Steps = Annotated[int | None, typer.Option(min=1, max=1000, help="Denoising steps [default: the weights' own].")]
Weights = Annotated[Path | None, typer.Option(help="A folder of weights you trained [default: those shipped].")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No bars, no summary; errors only.")]


def _face(value: str | None) -> str | int | None:
    return int(value) if value is not None and value.lstrip("-").isdigit() else value


def _report(path: Path, started: float, quiet: bool, detail: str = "") -> None:
    if not quiet:
        console.print(f"wrote [bold]{path}[/bold]{detail} in {time.monotonic() - started:.1f} s")


def generate(
    portrait: PortraitArgument,
    speech: SpeechArgument,
    output: Output = Path("out.mp4"),
    seed: Seed = 0,
    motion_out: Annotated[Path | None, typer.Option(help="Also write the motion (.npz, .csv or .json).")] = None,
    method: Method = "fd2talk",
    renderer: RendererName = "mesh",
    weights: Weights = None,
    face: Face = None,
    size: Size = None,
    crop: Crop = "none",
    pose_scale: PoseScale = 1.0,
    expression_scale: ExpressionScale = 1.0,
    blink_scale: BlinkScale = 1.0,
    steps: Steps = None,
    quiet: Quiet = False,
) -> None:
    """Make PORTRAIT say SPEECH.

    Example: [bold]declaim generate me.jpg hello.wav -o hello.mp4 --seed 7[/bold]
    """
    started = time.monotonic()
    check_input(portrait, "portrait")
    check_input(speech, "speech")
    check_output(output, VIDEO_SUFFIXES)
    if motion_out is not None:
        check_output(motion_out, MOTION_SUFFIXES)
    ensure_assets("face-landmarker", speech_encoder(method, weights), quiet=quiet)
    from declaim.export import save_motion
    from declaim.pipeline import TalkingHead

    options = _motion_options(pose_scale, expression_scale, blink_scale, steps)
    with stages(quiet) as bars:
        head = TalkingHead.from_pretrained(method, renderer, weights=weights)
        clip = head.animate(
            portrait, speech, seed=seed, face=_face(face), crop=_crop(crop), size=size,
            on_step=bars.stage("speech to motion"), **options,
        )  # fmt: skip
        if motion_out is not None:
            save_motion(motion_out, clip.motion, pose_origin="rest")
        clip.write(output, on_step=bars.stage("motion to pictures", len(clip.motion)))
    _report(output, started, quiet, f" ({len(clip.motion) / float(clip.motion.fps):.1f} s of video)")


def motion(
    speech: SpeechArgument,
    output: Output = Path("motion.npz"),
    seed: Seed = 0,
    method: Method = "fd2talk",
    weights: Weights = None,
    pose_scale: PoseScale = 1.0,
    expression_scale: ExpressionScale = 1.0,
    blink_scale: BlinkScale = 1.0,
    steps: Steps = None,
    quiet: Quiet = False,
) -> None:
    """Turn SPEECH into a motion file: face-model coefficients, head pose and the 52 ARKit curves.

    The suffix chooses the format: .npz (everything), .csv (Live Link Face columns) or .json.
    Example: [bold]declaim motion hello.wav -o hello.csv[/bold]
    """
    started = time.monotonic()
    check_input(speech, "speech")
    check_output(output, MOTION_SUFFIXES)
    ensure_assets(speech_encoder(method, weights), quiet=quiet)
    from declaim.export import save_motion
    from declaim.media import read_audio
    from declaim.registry import METHODS, resolve

    options = _motion_options(pose_scale, expression_scale, blink_scale, steps)
    with stages(quiet) as bars:
        loaded = resolve(METHODS, method, kind="method").from_pretrained(weights)
        result = loaded.generate(read_audio(speech), seed=seed, on_step=bars.stage("speech to motion"), **options)
        save_motion(output, result, pose_origin="rest")
    _report(output, started, quiet, f" ({len(result)} frames)")


def render(
    portrait: PortraitArgument,
    motion: Annotated[Path, typer.Argument(help="A motion file from track, motion or generate (.npz).")],
    output: Output = Path("out.mp4"),
    sound: Annotated[Path | None, typer.Option(help="Sound to put under the video: an audio or video file.")] = None,
    renderer: RendererName = "mesh",
    face: Face = None,
    size: Size = None,
    crop: Crop = "none",
    anchor: Annotated[
        str | None,
        typer.Option(
            help="What the portrait's own pose stands for: [bold]first[/bold] frame of the motion, or its "
            "[bold]rest[/bold] pose [default: first for tracked motion, rest for generated]."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw MOTION on PORTRAIT: re-enactment.

    Example: [bold]declaim track clip.mp4 -o m.npz && declaim render me.jpg m.npz --sound clip.mp4 -o me.mp4[/bold]
    """
    started = time.monotonic()
    check_input(portrait, "portrait")
    check_input(motion, "motion file")
    if sound is not None:
        check_input(sound, "sound")
    check_output(output, VIDEO_SUFFIXES)
    ensure_assets("face-landmarker", quiet=quiet)
    from declaim.errors import ConfigError
    from declaim.face.motion_file import read_motion, read_pose_origin
    from declaim.pipeline import Clip
    from declaim.registry import RENDERERS, resolve
    from declaim.render.portrait import load_portrait

    if anchor not in (None, "first", "rest"):
        raise ConfigError(f"--anchor is {anchor!r}; it can be first or rest")
    moved = read_motion(motion)
    chosen: Any = anchor or ("rest" if read_pose_origin(motion) == "rest" else "first")
    with stages(quiet) as bars:
        loaded = load_portrait(portrait, face=_face(face), crop=_crop(crop), size=size)
        clip = Clip(loaded, moved, sound, resolve(RENDERERS, renderer, kind="renderer")(), chosen)
        clip.write(output, on_step=bars.stage("motion to pictures", len(moved)))
    _report(output, started, quiet, f" ({len(moved)} frames)")


def track(
    video: Annotated[Path, typer.Argument(help="A video of a face.")],
    output: Output = Path("motion.npz"),
    face: Face = None,
    points: Annotated[bool, typer.Option(help="Keep the 478 tracked points in the .npz.")] = True,
    quiet: Quiet = False,
) -> None:
    """Track the face in VIDEO: face-model coefficients, head pose, 52 ARKit coefficients and 478 points.

    Example: [bold]declaim track clip.mp4 -o clip.npz[/bold]
    """
    started = time.monotonic()
    check_input(video, "video")
    check_output(output, MOTION_SUFFIXES)
    ensure_assets("face-landmarker", quiet=quiet)
    from declaim.export import save_motion

    with stages(quiet) as bars:
        found, result = _track(video, _face(face), bars)
        save_motion(output, result, pose_origin="camera", points=found.points if points else None)
    missing = int((~found.valid).sum())
    filled = f", {missing} of them filled in where no face was seen" if missing else ""
    _report(output, started, quiet, f" ({len(result)} frames{filled})")


def demo(
    output: Output = Path("out/demo.mp4"),
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Make a real video from the portrait and the speech that come with declaim."""
    from declaim.assets import shipped

    output.parent.mkdir(parents=True, exist_ok=True)
    portrait = next(shipped("demo-portrait").glob("portrait.*"))
    speech = next(shipped("demo-speech").glob("speech.*"))
    generate(portrait, speech, output, seed=seed, crop="head", size=512, quiet=quiet)
    if not quiet:
        console.print(f"open it: {output.resolve()}")


def _track(video: Path, face: str | int | None, bars: Stages) -> tuple[Any, Any]:
    from declaim.face.model import FaceModel
    from declaim.face.tracker import FaceTracker, track_motion
    from declaim.media import probe, read_frames

    on_step = bars.stage("following the face", None)
    total = round(probe(video).duration_s * 25)
    with FaceTracker() as tracker:
        found = tracker.track(read_frames(video), face=face, on_step=lambda done, _: on_step(done, max(total, done)))
    return found, track_motion(found, FaceModel.from_pretrained())


def _motion_options(pose: float, expression: float, blink: float, steps: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"pose_scale": pose, "expression_scale": expression, "blink_scale": blink}
    return options if steps is None else {**options, "steps": steps}


def _crop(value: str) -> Any:
    from declaim.errors import ConfigError

    if value not in ("none", "head"):
        raise ConfigError(f"--crop is {value!r}; it can be none or head")
    return value
