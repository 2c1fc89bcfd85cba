"""What ``declaim motion`` writes: numbers, an animated head with its sound, or a video of that head."""

from pathlib import Path
from typing import TYPE_CHECKING

from declaim.apps.cli.preflight import MOTION_SUFFIXES, VIDEO_SUFFIXES
from declaim.apps.cli.progress import OnStep
from declaim.apps.cli.takes import beside

if TYPE_CHECKING:
    from declaim.types import Motion

OUTPUT_SUFFIXES = (*MOTION_SUFFIXES, *VIDEO_SUFFIXES)
"""Every ending that ``declaim motion`` takes."""


def write_take(path: Path, take: "Motion", speech: Path, on_step: OnStep) -> None:
    """Write a generated motion in the format that ``path`` ends in.

    Args:
        path: one of `OUTPUT_SUFFIXES`; beside ``head.glb``, its sound is written as ``head-speech.wav``.
        take: the motion.
        speech: the file that it was made from.
        on_step: moves with a video's frames.

    Raises:
        Unwritable: the folder does not exist or cannot be written.
    """
    from declaim.export import save_motion
    from declaim.media import write_video
    from declaim.media.wav import copy_sound
    from declaim.pipeline import SYNTHETIC
    from declaim.render.head import HeadRenderer

    kind = path.suffix.lower()
    if kind in VIDEO_SUFFIXES:
        pictures = HeadRenderer().render(take)
        write_video(path, pictures, speech, len(take), take.fps, on_step=on_step, comment=SYNTHETIC)
        return
    sound = beside(path, "speech.wav") if kind == ".glb" else None
    save_motion(path, take, pose_origin="rest", sound=None if sound is None else sound.name)
    if sound is not None:
        copy_sound(speech, sound)
