"""Real media files made for the tests: pictures with their number painted in, sound with a click at a known time."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 12
BLOCK = 16
RATE = 48_000


def numbered(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A picture that shows ``number`` as black and white blocks; survives any codec."""
    image = np.full((height, width, 3), 96, np.uint8)
    for bit in range(BITS):
        row, column = divmod(bit, 4)
        value = 235 if number >> bit & 1 else 16
        image[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = value
    return image


def number_in(image: np.ndarray) -> int:
    number = 0
    for bit in range(BITS):
        row, column = divmod(bit, 4)
        centre = image[row * BLOCK + 4 : (row + 1) * BLOCK - 4, column * BLOCK + 4 : (column + 1) * BLOCK - 4]
        number |= int(centre.mean() > 128) << bit
    return number


def click(seconds: float, at: float, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """(channels, samples): silence with a soft 2 ms pulse centred at ``at`` seconds."""
    times = np.arange(round(seconds * rate)) / rate
    pulse = 0.8 * np.exp(-0.5 * ((times - at) / 0.0005) ** 2)
    return np.repeat(pulse[None].astype(np.float32), channels, axis=0)


def click_at(samples: np.ndarray, rate: int) -> float:
    """Time in seconds of the largest pulse."""
    return int(np.argmax(np.abs(np.asarray(samples)))) / rate


def write_clip(
    path: Path,
    times: Sequence[Fraction | float] = (),
    images: Sequence[np.ndarray] = (),
    sound: np.ndarray | None = None,
    *,
    sound_start: Fraction | float = 0,
    rate: int = RATE,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
    layout: str | None = None,
    tick: Fraction = Fraction(1, 12_800),
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write pictures at given presentation times and sound that starts at ``sound_start``."""
    with av.open(str(path), "w", options=container_options or {}) as out:
        video = audio = None
        if len(times):
            video = out.add_stream(video_codec, rate=25)
            video.height, video.width = images[0].shape[:2]
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = tick
            video.options = {"crf": "10", "preset": "veryfast"} if video_codec == "libx264" else {"b": "4M"}
            video.codec_context.bit_rate = 4_000_000
        if sound is not None:
            layout = layout or ("mono" if len(sound) == 1 else "stereo")
            audio = out.add_stream(audio_codec, rate=rate, layout=layout)
        if video is not None:
            for time, image in zip(times, images, strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = round(Fraction(time) / tick), tick
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        if audio is not None:
            for start in range(0, sound.shape[1], 1024):
                out.mux(audio.encode(_audio_frame(sound[:, start : start + 1024], layout, rate, start, sound_start)))
            out.mux(audio.encode(None))
    return path


def _audio_frame(block: np.ndarray, layout: str, rate: int, start: int, offset: Fraction | float) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    frame.pts = start + round(Fraction(offset) * rate)
    return frame
