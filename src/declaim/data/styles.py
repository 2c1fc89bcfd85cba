"""Styles as users name them: a name, a style file, a motion file or any video of somebody who speaks."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from declaim.data.prepare.shots import ShotDetector
from declaim.errors import ConfigError, DeclaimWarning, NoFace
from declaim.face.faces import FaceChoice
from declaim.face.model import FaceModel
from declaim.face.motion_file import read_motion
from declaim.face.tracker import FaceTracker, Track, track_motion
from declaim.media import read_frames
from declaim.motion.manner import TYPICAL
from declaim.motion.mixed import MixedMethod
from declaim.motion.style import LEAST_FRAMES, Style
from declaim.registry import METHODS, resolve
from declaim.timebase import FPS, duration_s
from declaim.types import Frames, Motion, OnStep

MOST_FRAMES = round(60 * FPS)
"""A shot's frames beyond the first minute are not looked at."""
LONGEST_SIDE = 1920
"""Larger pictures are read at this size."""

HARDLY_SPEAKING = 0.4
"""Mouth movement, relative to the typical person's, below which somebody is taken not to speak: nine of ten speakers
have twice as much."""

NO_STYLE = "none"
"""Name of no style: a method that wears one by default takes it off."""
OnStage = Callable[[str], OnStep]
"""Called at the start of a stage with its name; gives the stage's progress hook."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Somebody's motion in a video.

    Attributes:
        motion: tracked.
        start: first frame of the video that it shows.
        shots: how many shots the video has, as far as it was looked at.
    """

    motion: Motion
    start: int
    shots: int


def motion_in(path: Path, face: FaceChoice = None, on_stage: OnStage | None = None) -> Seen:
    """The motion of the face in a video's longest shot that shows one; at most its first minute.

    Args:
        path: any video; its sound plays no part.
        face: which face, if there are several.
        on_stage: progress.

    Raises:
        MediaError: the file cannot be used (Unreadable, NoPicture, NoFace, ManyFaces).
        ConfigError: a face is seen, but not for two seconds.

    Warns:
        DeclaimWarning: there are several shots: the others are left out; or cuts cannot be looked for.
    """
    begin = on_stage or (lambda name: lambda done, total: None)
    shots = _shots(path, begin("looking for cuts"))
    most = 0
    for start, stop in sorted(shots, key=lambda shot: shot[0] - shot[1]):
        if most and stop - start < LEAST_FRAMES:
            break
        track = _track(path, start, min(stop, start + MOST_FRAMES), face, begin("following the face"))
        frames = 0 if track is None else int(track.valid.sum())
        most = max(most, frames)
        if track is not None and frames >= LEAST_FRAMES:
            if len(shots) > 1:
                warnings.warn(
                    f"{path.name} has {len(shots)} shots; the style is taken from the longest that shows a face, "
                    f"{duration_s(start):.1f} s to {duration_s(start + len(track)):.1f} s",
                    DeclaimWarning, stacklevel=2,
                )  # fmt: skip
            return Seen(track_motion(track, FaceModel.from_pretrained()), start, len(shots))
    if not most:
        raise NoFace(f"no face was found in {path}; use a video that shows somebody who speaks, from the front")
    raise ConfigError(
        f"a style needs {duration_s(LEAST_FRAMES):g} s of a face in one shot, and {path} has {duration_s(most):.1f} s; "
        "give a longer clip"
    )


def _shots(path: Path, on_step: OnStep) -> list[tuple[int, int]]:
    """First frames of the shots and the frames after their last, up to the first shot that is long enough."""
    try:
        detector = ShotDetector()
    except ConfigError as error:
        warnings.warn(f"cuts between shots are not looked for: {error}", DeclaimWarning, stacklevel=3)
        return [(0, MOST_FRAMES)]
    seen = 0
    for run in read_frames(path, max_side=LONGEST_SIDE):
        for image in run.images:
            detector.see(image)
        seen += len(run)
        on_step(seen, 0)
        if seen - max([0, *detector.cuts]) >= MOST_FRAMES:
            break
    return list(pairwise([0, *detector.cuts, seen]))


def _track(path: Path, start: int, stop: int, face: FaceChoice, on_step: OnStep) -> Track | None:
    """The face in some frames of a video; None if there is none."""
    with FaceTracker() as tracker, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeclaimWarning)  # of damage, the look for cuts has told
        try:
            return tracker.track(_between(path, start, stop), face, on_step)
        except NoFace:
            return None


def _between(path: Path, start: int, stop: int) -> Iterator[Frames]:
    first = 0
    for run in read_frames(path, max_side=LONGEST_SIDE):
        part = run.images[max(start - first, 0) : max(stop - first, 0)]
        if len(part):
            yield Frames(part, run.fps)
        first += len(run)
        if first >= stop:
            return


def find_style(
    method: Any, wanted: Style | str | Path, face: FaceChoice = None, on_stage: OnStage | None = None
) -> Style | None:
    """The style that is meant, for a method that takes styles.

    Args:
        method: has ``styles`` and ``style_of``.
        wanted: a style; the name of one that comes with the method's weights; a style file, a motion file or a video;
            ``"none"`` for no style.
        face: which face of a video, if there are several.
        on_stage: progress.

    Raises:
        ConfigError: no such name or file, or too little motion.
        CheckpointError: the file is no style or motion of this version.
        MediaError: the video cannot be used; see `motion_in`.

    Warns:
        DeclaimWarning: the mouth hardly moves; see also `motion_in`.
    """
    if isinstance(wanted, Style):
        return wanted
    if str(wanted) == NO_STYLE:
        return None
    if str(wanted) in method.styles:
        found: Style = method.styles[str(wanted)]
        return found
    if not Path(wanted).is_file():
        names = ", ".join(sorted(method.styles)) or "these weights have none"
        raise ConfigError(f"there is no style {str(wanted)!r} (names: {names}); give a name, a style file or a video")
    if Path(wanted).suffix == ".safetensors":
        return Style.load(wanted)
    return style_from(method, Path(wanted), face, on_stage)


def style_from(method: Any, path: Path, face: FaceChoice = None, on_stage: OnStage | None = None) -> Style:
    """The style of the person in a video or motion file; see `find_style`."""
    motion = read_motion(path) if path.suffix == ".npz" else motion_in(path, face, on_stage).motion
    style: Style = method.style_of(motion, path.name)
    if style.manner is not None and style.manner.mouth_cm < HARDLY_SPEAKING * TYPICAL.mouth_cm:
        warnings.warn(
            f"the mouth hardly moves in {path.name}; its style will be that of somebody who hardly speaks: give a clip "
            "in which the person talks", DeclaimWarning, stacklevel=2,
        )  # fmt: skip
    return style


def in_style(
    method: Any,
    style: Style | str | Path | None = None,
    *,
    speech_guidance: float | None = None,
    style_guidance: float | None = None,
    face: FaceChoice = None,
    on_stage: OnStage | None = None,
) -> Any:
    """The method in a style; of a mixture, whichever takes styles.

    Args:
        method: a method, or a `MixedMethod`.
        style: see `find_style`; None to leave the method the style that it has.
        speech_guidance: how much the speech guides; the method's own if left out.
        style_guidance: how much the style guides; the method's own if left out.
        face: which face of a video, if there are several.
        on_stage: progress.

    Raises:
        ConfigError: the method takes no styles, or a scale is out of range; see also `find_style`.
        CheckpointError: the style was made with another style encoder.
    """
    if style is None and speech_guidance is None and style_guidance is None:
        return method

    def dressed(taker: Any) -> Any:
        worn = taker.style if style is None else find_style(taker, style, face, on_stage)
        return taker.with_style(worn, speech_guidance=speech_guidance, style_guidance=style_guidance)

    check_takes_styles(method)
    if isinstance(method, MixedMethod):
        return method.changed(lambda part: dressed(part) if _takes_styles(part) else part)
    return dressed(method)


def style_takers(method: Any) -> list[Any]:
    """The method if it takes styles; of a mixture, those that do."""
    return [part for part in _parts(method) if _takes_styles(part)]


def check_takes_styles(method: Any) -> None:
    """Make sure that a method, or one of a mixture, takes styles.

    Raises:
        ConfigError: it does not.
    """
    if not style_takers(method):
        takers = ", ".join(name for name in METHODS if _takes_styles(resolve(METHODS, name, kind="method")))
        own = " and ".join(part.name for part in _parts(method))
        raise ConfigError(f"{own} cannot be given a style or guidance; use a method that takes them: {takers}")


def _parts(method: Any) -> tuple[Any, ...]:
    return (method.lips, method.head) if isinstance(method, MixedMethod) else (method,)


def _takes_styles(method: Any) -> bool:
    return hasattr(method, "with_style")
