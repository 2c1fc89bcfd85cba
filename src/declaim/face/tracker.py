"""Faces in pictures and videos: the MediaPipe Face Landmarker (478 points, 52 scores, head pose)."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
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
    SMALLEST_FACE,
    FaceChoice,
    TrackedFace,
    around,
    choose_face,
    same_face,
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

__all__ = ["FaceTracker", "Track", "TrackedFace", "choose_face", "track_motion"]


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
                for face in self._see(image, window):
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

        The face is chosen in the first picture that shows one, and followed from there: where there are several, all
        but a window around the followed face is blackened, so that the others cannot be mistaken for it.

        Args:
            frames: runs of frames, all of one size and rate.
            face: see `choose_face`.
            on_step: called with (frames done, 0).

        Raises:
            NoFace: no picture shows a face.
            ManyFaces: see `choose_face`.
        """
        following = _Following(self, face)
        for run in frames:
            for image in run.images:
                following.see(image, run.fps)
                if on_step:
                    on_step(following.n_frames, 0)
        return following.result()

    def _settled(self, image: UInt8[np.ndarray, "height width 3"], face: TrackedFace) -> TrackedFace:
        """The face as the tracker would see it in a video that rests on this picture.

        In the first pictures of a video the points creep by up to 0.4 % of the face's height, because each search
        starts from the points found last. Motion is measured on settled points, so a portrait has to be, too.
        """
        left, top, right, bottom = around(face.box, face.size)
        part = np.zeros_like(image)
        part[top:bottom, left:right] = image[top:bottom, left:right]
        landmarker = self._open(vision.RunningMode.VIDEO, 1)
        try:
            seen = _settle(landmarker, part, face.size)
        finally:
            landmarker.close()
        return seen if seen is not None and same_face(seen.box, face.box) else face

    def _see(self, image: UInt8[np.ndarray, "height width 3"], window: tuple[int, int, int, int]) -> list[TrackedFace]:
        left, top, right, bottom = window
        part = image[top:bottom, left:right]
        seen = self._stills.detect(_mediapipe_image(part))
        offset = torch.tensor([left, top, 0.0])
        size = (image.shape[1], image.shape[0])
        part_size = (right - left, bottom - top)
        return [replace(f, points=f.points + offset, size=size) for f in _faces(seen, part_size)]

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
            blank = _mediapipe_image(np.zeros((64, 64, 3), np.uint8))  # chatter comes with the first use too
            _ = landmarker.detect(blank) if mode == vision.RunningMode.IMAGE else landmarker.detect_for_video(blank, 0)
        return landmarker


def _settle(landmarker: Any, image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]) -> TrackedFace | None:
    """Show a picture to a video landmarker until its points rest; the face of the last look."""
    shown = _mediapipe_image(image)
    faces: list[TrackedFace] = []
    # time 0 was the blank picture; the landmarker smooths in time, so time must pass between the looks
    for stamp in range(1, SETTLING_MS, 40):
        faces = _faces(landmarker.detect_for_video(shown, stamp), size)
    return faces[0] if faces else None


class _Following:
    """One face followed through the frames of one video."""

    def __init__(self, tracker: FaceTracker, choice: FaceChoice) -> None:
        self._tracker, self._choice = tracker, choice
        self._landmarker: Any = None
        self._window: tuple[int, int, int, int] | None = None  # None: the only face, nothing to hide
        self._fps = FPS
        self._size = (0, 0)
        self._points: list[Tensor] = []
        self._scores: list[Tensor] = []
        self._valid: list[bool] = []

    @property
    def n_frames(self) -> int:
        return len(self._valid)

    def see(self, image: UInt8[np.ndarray, "height width 3"], fps: Fraction) -> None:
        """Take in the next frame."""
        self._fps, self._size = fps, (image.shape[1], image.shape[0])
        face = self._follow(image)
        self._valid.append(face is not None)
        self._points.append(face.points if face else torch.full((N_POINTS, 3), math.nan))
        self._scores.append(face.scores if face else torch.full((len(TRACKER_SCORES),), math.nan))

    def _follow(self, image: UInt8[np.ndarray, "height width 3"]) -> TrackedFace | None:
        fresh = False
        if self._landmarker is None:
            faces = self._tracker.detect(image, thorough=False)
            if not faces:
                return None
            chosen = choose_face(faces, self._choice)
            self._landmarker = self._tracker._open(vision.RunningMode.VIDEO, 1)
            self._window = around(faces[chosen].box, self._size) if len(faces) > 1 else None
            fresh = True
        if self._window is not None:
            left, top, right, bottom = self._window
            masked = np.zeros_like(image)
            masked[top:bottom, left:right] = image[top:bottom, left:right]
            image = masked
        if fresh:
            _settle(self._landmarker, image, self._size)
        stamp = SETTLING_MS + 1 + round(1000 * self.n_frames / self._fps)
        seen = _faces(self._landmarker.detect_for_video(_mediapipe_image(image), stamp), self._size)
        if seen and self._window is not None:
            self._window = around(seen[0].box, self._size)
        return seen[0] if seen else None

    def result(self) -> Track:
        """The track of all frames seen.

        Raises:
            NoFace: none of them shows a face.
        """
        if self._landmarker is not None:
            self._landmarker.close()
        if not any(self._valid):
            raise NoFace(
                f"no face was found in any of the {self.n_frames} frames; use a video that shows a face from the front"
            )
        valid = torch.tensor(self._valid)
        points = bridge(torch.stack(self._points).flatten(1), valid).reshape(-1, N_POINTS, 3)
        return Track(points, bridge(torch.stack(self._scores), valid), valid, self._size, self._fps)


def _mediapipe_image(image: UInt8[np.ndarray, "height width 3"]) -> Any:
    # MediaPipe ignores strides: rows with padding or a cut-out window would be read as garbage, and no face found.
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def _faces(seen: Any, size: tuple[int, int]) -> list[TrackedFace]:
    scale = torch.tensor([size[0], size[1], size[0]], dtype=torch.float32)  # MediaPipe's z is in widths
    faces = []
    for landmarks, blendshapes, matrix in zip(
        seen.face_landmarks, seen.face_blendshapes, seen.facial_transformation_matrixes, strict=True
    ):
        points = torch.tensor([(p.x, p.y, p.z) for p in landmarks]) * scale
        scores = torch.tensor([c.score for c in blendshapes])
        faces.append(TrackedFace(points, scores, size, math.atan2(float(matrix[0, 2]), float(matrix[2, 2]))))
    return faces
