"""Small videos of people, cut from the demo portrait: heads that move, cross and are cut."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from declaim.assets import shipped
from declaim.audio.prosody import prosody
from declaim.audio.waveform import padded_to_frames
from declaim.media import write_video
from declaim.media.image_io import read_image
from declaim.types import Frames, Speech

FACE_PX = 105
"""Height of the face in `person` at scale 1."""
LEVEL_ENCODER = "talking_scenes:LevelEncoder"
Place = Callable[[int], tuple[int, int]]


class LevelEncoder:
    """A quick encoder: loudness and voicing."""

    name, dim = "level", 4

    def encode(self, speech: Speech) -> Float[Tensor, "frames 4"]:
        return prosody(padded_to_frames(speech.samples, speech.n_frames))


@cache
def portrait() -> np.ndarray:
    return read_image(next(shipped("demo-portrait").glob("portrait.*")))


def person(mirrored: bool = False) -> np.ndarray:
    """Head and neck, 200 x 150; mirrored and in other colours it is somebody else."""
    tile = portrait()[20:220, 150:300]
    return np.ascontiguousarray(tile[:, ::-1, ::-1]) if mirrored else np.ascontiguousarray(tile)


def scene(
    n: int, people: Sequence[tuple[np.ndarray, Place]], size: tuple[int, int] = (256, 256), backdrop: int = 120
) -> Frames:
    """``n`` frames with people at places (left, top) that depend on the frame; later ones stand in front."""
    images = np.full((n, size[1], size[0], 3), backdrop, np.uint8)
    for i, image in enumerate(images):
        for tile, place in people:
            left, top = place(i)
            a, b = max(left, 0), min(left + tile.shape[1], size[0])
            c, d = max(top, 0), min(top + tile.shape[0], size[1])
            if a < b and c < d:
                image[c:d, a:b] = tile[c - top : d - top, a - left : b - left]
    return Frames(images)


def swaying(left: int = 53, top: int = 30) -> Place:
    return lambda i: (left + round(8 * np.sin(i / 6)), top + round(3 * np.sin(i / 4)))


def babble(seconds: float, seed: int = 0) -> Speech:
    """A buzz that comes and goes four times a second: to a level meter it is speech."""
    time = torch.arange(round(16_000 * seconds)) / 16_000
    loud = (torch.sin(2 * torch.pi * 2 * time + seed) > 0).float()
    buzz = sum(torch.sin(2 * torch.pi * 120 * k * time) / k for k in range(1, 8))
    return Speech((0.15 * loud * buzz).float(), 16_000)


def write_talking(path: Path, seconds: float = 1.2, seed: int = 0) -> Path:
    """One person, who sways, with sound."""
    n = round(25 * seconds)
    frames = scene(n, [(person(seed % 2 == 1), swaying(53 - 3 * seed))], backdrop=90 + 20 * seed)
    return write_video(path, [frames], babble(seconds, seed), fps=Fraction(25))
