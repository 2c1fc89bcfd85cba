"""Cuts between shots, by PySceneDetect's adaptive detector, on small pictures from our own reader.

Measured on 38,261 frames of real footage (150 clips, 84 speakers) and 148 cuts made by joining clips of different
speakers: all cuts found with 2 alarms inside clips (both look like jump cuts of a vlog); the content detector at its
own threshold of 27 finds 97 % without an alarm, and at 15 all with 11. Jump cuts within one scene are found in 39 % of
the cases by either; the largest ones of the others show as jumps of the tracked face, see `quality`.
"""

from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from declaim.errors import ConfigError
from declaim.timebase import FPS

_LONGER_SIDE = 160
"""Pixels of the pictures that are looked at."""
_RATIO, _CONTENT, _WINDOW = 3.0, 15.0, 2
"""A cut differs this many times as much from its predecessor as the frames around it, and at least this much."""


class ShotDetector:
    """Finds cuts in frames that are shown to it one by one.

    Attributes:
        cuts: frames with which a new shot begins, as far as they are known; the first frame of all is not among them.

    Raises:
        ConfigError: PySceneDetect is not installed.
    """

    def __init__(self) -> None:
        try:
            from scenedetect import FrameTimecode
            from scenedetect.detectors import AdaptiveDetector
        except ImportError as error:
            raise ConfigError("PySceneDetect is not installed; run: pip install 'declaim[corpus]'") from error
        self.cuts: list[int] = []
        self._timecode = FrameTimecode
        self._detector: Any = AdaptiveDetector(_RATIO, 0, _WINDOW, _CONTENT)
        self._seen = 0

    def see(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Take in the next frame, RGB."""
        scale = _LONGER_SIDE / max(image.shape[:2])
        size = tuple(max(round(side * scale), 1) for side in image.shape[1::-1])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
        time = self._timecode(self._seen, float(FPS))
        found = self._detector.process_frame(time, np.ascontiguousarray(small[:, :, ::-1]))
        self.cuts += [int(cut.frame_num) for cut in found]
        self._seen += 1
