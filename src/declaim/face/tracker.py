"""Faces in pictures and videos: the MediaPipe Face Landmarker (478 points, 52 scores, head pose)."""

import math
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import mediapipe
import numpy as np
import torch
from jaxtyping import UInt8
from mediapipe.tasks.python import BaseOptions, vision
from torch import Tensor

from declaim.assets import locate
from declaim.errors import DeclaimWarning, NoFace
from declaim.face.faces import (
    LARGEST_YAW,
    MAX_FACES,
    ROOM,
    SMALLEST_FACE,
    Box,
    FaceChoice,
    TrackedFace,
    Window,
    around,
    choose_face,
    nearest_face,
    same_face,
    seen_through,
    windows,
)
from declaim.face.layouts import N_POINTS, TRACKER_SCORES
from declaim.face.quiet import without_chatter
from declaim.face.smoothing import bridge
from declaim.face.track import Track, track_motion
from declaim.timebase import FPS
from declaim.types import Frames, OnStep

SETTLING_MS = 400
"""How long the first picture of a video is shown before its points count; after that they move by less than 0.02 % of
the face's height from frame to frame."""

PATIENCE = 5
"""Frames after which a face that left its part of the picture is looked for in the whole."""

__all__ = ["FaceTracker", "Following", "Track", "TrackedFace", "choose_face", "track_motion"]


class FaceTracker:
    """The face landmarker. A context manager: it holds native memory until it is closed.

    Opening it reads the asset ``face-landmarker``; nothing is fetched. Results are the same in every run.

    Args:
        model: path of the ``.task`` file, if it is not the asset.
    """

    def __init__(self, model: Path | None = None) -> None:
        self._model = model
        self._stills: Any = None

    def __enter__(self) -> "FaceTracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the native memory; the tracker may be used again and opens anew."""
        if self._stills is not None:
            self._stills.close()
            self._stills = None

    def detect(self, image: UInt8[np.ndarray, "height width 3"], *, thorough: bool = True) -> list[TrackedFace]:
        """All faces in a picture, from left to right (by the middle of their boxes); at most `MAX_FACES`.

        Args:
            image: the picture.
            thorough: if none is found, look again through overlapping windows of a half and a quarter of the picture;
                the detector sees the picture at 128 pixels, so that small faces escape it.
        """
        if self._stills is None:
            self._stills = self._open(vision.RunningMode.IMAGE, MAX_FACES)
        for share in (1.0, 0.5, 0.25) if thorough else (1.0,):
            faces: list[TrackedFace] = []
            for window in windows((image.shape[1], image.shape[0]), share):
                for face in _look(self._stills, image, window):
                    if not any(same_face(face.box, other.box) for other in faces):
                        faces.append(face)
            if faces:
                return sorted(faces, key=lambda f: f.box[0] + f.box[2])
        return []

    def portrait_face(self, image: UInt8[np.ndarray, "height width 3"], face: FaceChoice = None) -> TrackedFace:
        """The face of a portrait.

        Args:
            image: the picture.
            face: see `choose_face`.

        Raises:
            NoFace: there is none, or it is less than `SMALLEST_FACE` pixels high.
            ManyFaces: see `choose_face`.

        Warns:
            DeclaimWarning: the head is turned more than 35 degrees.
        """
        faces = self.detect(image)
        chosen = faces[choose_face(faces, face)]
        if chosen.height < SMALLEST_FACE:
            raise NoFace(
                f"the face is {chosen.height:.0f} pixels high, at least {SMALLEST_FACE} are needed; "
                "use a larger picture, or cut it around the head"
            )
        chosen = self._settled(image, chosen)
        if abs(chosen.yaw) > LARGEST_YAW:
            warnings.warn(
                f"the head is turned by {abs(math.degrees(chosen.yaw)):.0f} degrees; beyond 35 the far half of the "
                "face is guessed: use a picture taken more from the front",
                DeclaimWarning,
                stacklevel=2,
            )
        return chosen

    def track(self, frames: Iterator[Frames], face: FaceChoice = None, on_step: OnStep | None = None) -> Track:
        """Follow one face through a video.

        The face is chosen in the first picture that shows one, and followed from there. Where there are several, the
        landmarker is shown a part of the picture, black but for the surround of the followed face, so that no other
        face can be mistaken for it.

        Args:
            frames: runs of frames, all of one size and rate.
            face: see `choose_face`.
            on_step: called with (frames done, 0).

        Raises:
            NoFace: no picture shows a face.
            ManyFaces: see `choose_face`.
        """
        following = self.follow(face)
        try:
            for run in frames:
                for image in run.images:
                    following.see(image, run.fps)
                    if on_step:
                        on_step(following.n_frames, 0)
        finally:
            following.close()
        return following.result()

    def follow(self, face: FaceChoice | Box = None) -> "Following":
        """Follow one face through frames that are handed over one by one; close it when done.

        Args:
            face: see `choose_face`; or a box (pixels): the face that is there, looked for until it is found.
        """
        return Following(self, face)

    def _settled(self, image: UInt8[np.ndarray, "height width 3"], face: TrackedFace) -> TrackedFace:
        """The face as the tracker would see it in a video that rests on this picture.

        In the first pictures of a video the points creep by up to 0.4 % of the face's height, because each search
        starts from the points found last. Motion is measured on settled points, so a portrait has to be, too.
        """
        landmarker = self._open(vision.RunningMode.VIDEO, 1)
        try:
            seen = _settle(landmarker, image, face.window, around(face.box, face.size))
        finally:
            landmarker.close()
        return seen if seen is not None and same_face(seen.box, face.box) else face

    def _open(self, mode: Any, num_faces: int) -> Any:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self._model or locate("face-landmarker"))),
            running_mode=mode,
            num_faces=num_faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        with without_chatter():
            landmarker = vision.FaceLandmarker.create_from_options(options)
            blank = np.zeros((64, 64, 3), np.uint8)  # chatter comes with the first use, too
            _look(landmarker, blank, (0, 0, 64, 64), stamp=None if mode == vision.RunningMode.IMAGE else 0)
        return landmarker


def _settle(
    landmarker: Any, image: UInt8[np.ndarray, "height width 3"], window: Window, hole: Window | None
) -> TrackedFace | None:
    """Show a picture to a video landmarker until its points rest; the face of the last look."""
    faces: list[TrackedFace] = []
    # time 0 was the blank picture; the landmarker smooths in time, so time must pass between the looks
    for stamp in range(1, SETTLING_MS, 40):
        faces = _look(landmarker, image, window, hole, stamp)
    return faces[0] if faces else None


def _look(
    landmarker: Any,
    image: UInt8[np.ndarray, "height width 3"],
    window: Window,
    hole: Window | None = None,
    stamp: int | None = None,
) -> list[TrackedFace]:
    """The faces that a landmarker sees through a window, in the pixels of the whole picture.

    Args:
        landmarker: MediaPipe's; a still one if ``stamp`` is None.
        image: the whole picture.
        window: the part that is shown to it.
        hole: outside it the part is black.
        stamp: time in ms.
    """
    part = seen_through(image, window, hole)
    # MediaPipe ignores strides: rows with padding or a cut-out window would be read as garbage, and no face found.
    shown = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(part))
    seen = landmarker.detect(shown) if stamp is None else landmarker.detect_for_video(shown, stamp)
    width, height = window[2] - window[0], window[3] - window[1]
    scale = torch.tensor([width, height, width], dtype=torch.float32)  # MediaPipe's z is in widths
    offset = torch.tensor([window[0], window[1], 0.0])
    size = (image.shape[1], image.shape[0])
    faces = []
    for landmarks, blendshapes, matrix in zip(
        seen.face_landmarks, seen.face_blendshapes, seen.facial_transformation_matrixes, strict=True
    ):
        points = torch.tensor([(p.x, p.y, p.z) for p in landmarks]) * scale + offset
        scores = torch.tensor([c.score for c in blendshapes])
        yaw = math.atan2(float(matrix[0, 2]), float(matrix[2, 2]))
        faces.append(TrackedFace(points, scores, size, yaw, window))
    return faces


class Following:
    """One face followed through the frames of one video; see `FaceTracker.follow`."""

    def __init__(self, tracker: FaceTracker, choice: FaceChoice | Box) -> None:
        self._tracker, self._choice = tracker, choice
        self._landmarker: Any = None
        self._window: Window = (0, 0, 0, 0)  # what the landmarker is shown
        self._hole: Window | None = None  # None: the only face, nothing to hide
        self._last: TrackedFace | None = None
        self._lost = 0
        self._fps, self._size = FPS, (0, 0)
        self._points: list[Tensor] = []
        self._scores: list[Tensor] = []
        self._valid: list[bool] = []

    @property
    def n_frames(self) -> int:
        """Frames seen so far."""
        return len(self._valid)

    def see(self, image: UInt8[np.ndarray, "height width 3"], fps: Fraction) -> None:
        """Take in the next frame."""
        self._fps, self._size = fps, (image.shape[1], image.shape[0])
        face = self._follow(image)
        self._lost = 0 if face else self._lost + 1
        self._last = face or self._last
        self._valid.append(face is not None)
        self._points.append(face.points if face else torch.full((N_POINTS, 3), math.nan))
        self._scores.append(face.scores if face else torch.full((len(TRACKER_SCORES),), math.nan))

    def _follow(self, image: UInt8[np.ndarray, "height width 3"]) -> TrackedFace | None:
        cut_out = self._window != (0, 0, *self._size)
        if self._landmarker is None or (cut_out and self._lost and self._lost % PATIENCE == 0):
            self._begin(image)
        if self._landmarker is None:
            return None
        stamp = SETTLING_MS + 1 + round(1000 * self.n_frames / self._fps)
        seen = _look(self._landmarker, image, self._window, self._hole, stamp)
        if seen and self._hole is not None:
            self._hole = around(seen[0].box, self._size)
        return seen[0] if seen else None

    def _begin(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Choose the face, or find it again after it left its window, and show its window to a new landmarker."""
        faces = self._tracker.detect(image, thorough=False)
        last = self._last
        if last is not None:
            near = [f for f in faces if same_face(around(f.box, self._size), last.box)]
            if not near:
                return
            chosen = near[0]
        elif isinstance(self._choice, tuple):
            found = nearest_face(faces, self._choice)
            if found is None:
                return
            chosen = found
        elif faces:
            chosen = faces[choose_face(faces, self._choice)]
        else:
            return
        self.close()
        self._window, self._hole = chosen.window, None
        if len(faces) > 1:
            self._window, self._hole = around(chosen.box, self._size, ROOM), around(chosen.box, self._size)
        self._landmarker = self._tracker._open(vision.RunningMode.VIDEO, 1)
        _settle(self._landmarker, image, self._window, self._hole)

    def close(self) -> None:
        """Free the native memory."""
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None

    def result(self) -> Track:
        """The track of all frames seen.

        Raises:
            NoFace: none of them shows a face.
        """
        if not any(self._valid):
            raise NoFace(
                f"no face was found in any of the {self.n_frames} frames; use a video that shows a face from the front"
            )
        valid = torch.tensor(self._valid)
        points = bridge(torch.stack(self._points).flatten(1), valid).reshape(-1, N_POINTS, 3)
        return Track(points, bridge(torch.stack(self._scores), valid), valid, self._size, self._fps)
