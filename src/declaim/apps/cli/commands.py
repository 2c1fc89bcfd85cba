"""The commands around the main path: render, track, demo."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from declaim.apps.cli.generate import generate
from declaim.apps.cli.options import (
    Crop,
    Face,
    Output,
    PortraitArgument,
    Quiet,
    RendererName,
    Seed,
    Size,
    crop_choice,
    face_choice,
)
from declaim.apps.cli.preflight import MOTION_SUFFIXES, VIDEO_SUFFIXES, check_input, check_output, ensure_assets
from declaim.apps.cli.progress import Stages, console, report, stages


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
            "[bold]rest[/bold] pose \\[default: first for tracked motion, rest for generated]."
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
    from declaim.render.base import make_renderer
    from declaim.render.portrait import load_portrait

    if anchor not in (None, "first", "rest"):
        raise ConfigError(f"--anchor is {anchor!r}; it can be first or rest")
    moved = read_motion(motion)
    chosen: Any = anchor or ("rest" if read_pose_origin(motion) == "rest" else "first")
    with stages(quiet) as bars:
        loaded = load_portrait(portrait, face=face_choice(face), crop=crop_choice(crop), size=size)
        clip = Clip(loaded, moved, sound, make_renderer(renderer), chosen)
        clip.write(output, on_step=bars.stage("motion to pictures", len(moved)))
    report([output], started, quiet, f" ({len(moved)} frames)")


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
        found, result = _track(video, face_choice(face), bars)
        save_motion(output, result, pose_origin="camera", points=found.points if points else None)
    missing = int((~found.valid).sum())
    filled = f", {missing} of them filled in where no face was seen" if missing else ""
    report([output], started, quiet, f" ({len(result)} frames{filled})")


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
