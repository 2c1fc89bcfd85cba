"""Video out: pictures and sound to H.264 + AAC (Matroska: Opus), streamed, atomic, the same bytes for the same input.

The picture is yuv420p, BT.709, limited range, converted and tagged alike. There are no B-frames, so players that
ignore edit lists still show picture and sound together; the sound's AAC priming is hidden by the container (edit
list in MP4 and MOV, codec delay in Matroska). H.264 in yuv420p needs even sides: an odd side gains one pixel, a copy
of its last row or column.

Encoding runs in a thread of its own behind a short queue, so it overlaps with rendering (PyAV and x264 release the
interpreter lock). x264's output depends on its number of threads, which is therefore fixed.
"""

import queue
import threading
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8

from declaim.errors import ConfigError, DeclaimError, Unwritable
from declaim.media.sound_track import SOUND_CODECS, SoundSource, SoundTrack
from declaim.pretrained import atomic_file, write_error
from declaim.types import Frames, OnStep, Speech

SUFFIXES = (".mp4", ".mov", ".mkv")
"""Containers that can be written, by the output's suffix."""

PRESET = "veryfast"
"""x264 preset. Measured at 512x512 on two cores (crf 18, real faces): superfast 271 frames/s at twice the size,
veryfast 195 frames/s and 7 ms of CPU a frame, faster 143, fast 88 at the same size."""

_MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_X264_THREADS = 2
_ROUNDED = 0x4 | 0x40000
"""swscale: bicubic, exact rounding."""
_QUEUED_FRAMES = 8


def write_video(
    path: str | Path,
    frames: Iterable[Frames],
    sound: str | Path | Speech | None = None,
    n_frames: int | None = None,
    fps: Fraction | None = None,
    *,
    crf: int = 18,
    preset: str = PRESET,
    on_step: OnStep | None = None,
    comment: str | None = None,
) -> Path:
    """Write a video; the file appears whole or not at all.

    The number of frames decides the length: the sound is cut or filled with silence to end with the last frame, to
    the sample. Arrays are copied as they are taken, so a renderer may reuse its buffers.

    Args:
        path: .mp4, .mov or .mkv.
        frames: runs of frames, all of one size; taken one at a time.
        sound: a file, whose own sound is used at its own quality (44.1 or 48 kHz, stereo where it is stereo) and on
            its picture's clock as ``read_audio`` has it; or a speech signal; None for a silent video.
        n_frames: how many frames will come, if known.
        fps: frame rate; by default that of ``frames``.
        crf: x264's constant quality, 0 (best) to 51.
        preset: x264's preset.
        on_step: called with (frames taken, ``n_frames`` or 0).
        comment: text kept in the file's metadata.

    Returns:
        The path.

    Raises:
        Unwritable: unknown suffix, the folder is missing or may not be written.
        CapacityError: the disk is full.
        Unreadable, NoAudio: the sound file cannot be used.
        ConfigError: there are no frames, they change size or rate, or are not ``n_frames``.
    """
    path = Path(path)
    muxer = _MUXERS.get(path.suffix.lower())
    if muxer is None:
        raise Unwritable(f"cannot write {path}: videos are written as {', '.join(SUFFIXES)}; choose such a name")
    if path.is_dir():
        raise Unwritable(f"cannot write {path}: there is a folder of that name")
    source = None if sound is None else SoundSource(sound, SOUND_CODECS[muxer])
    with atomic_file(path) as partial:
        encoder = _Encoder(partial, path, muxer, source, {"crf": str(crf), "preset": preset}, comment=comment)
        try:
            taken = _feed(encoder, frames, fps, n_frames, on_step)
            encoder.finish()
        finally:
            encoder.abort()
        if taken == 0:
            raise ConfigError(f"there are no frames to write to {path}")
        if n_frames not in (None, taken):
            raise ConfigError(f"{taken} frames came for {path}, {n_frames} were expected")
    return path


def _feed(
    encoder: "_Encoder", frames: Iterable[Frames], fps: Fraction | None, n_frames: int | None, on_step: OnStep | None
) -> int:
    taken = 0
    size: tuple[int, ...] | None = None
    for run in frames:
        rate = fps or run.fps
        size = size or run.images.shape[1:3]
        if run.images.shape[1:3] != size:
            raise ConfigError(f"frames change size from {size} to {run.images.shape[1:3]} (height, width)")
        for image in run.images:
            encoder.put(_even(image), rate)
        taken += len(run)
        if on_step:
            on_step(taken, n_frames or 0)
    return taken


def _even(image: UInt8[np.ndarray, "_ _ 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    """The picture with its last row and column doubled where a side is odd."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)


class _Encoder:
    """Encodes and writes in a thread of its own."""

    def __init__(
        self,
        partial: Path,
        path: Path,
        muxer: str,
        sound: SoundSource | None,
        options: dict[str, str],
        *,
        comment: str | None = None,
    ) -> None:
        self._comment = comment
        self._partial, self._path, self._muxer, self._source, self._options = partial, path, muxer, sound, options
        self._queue: queue.Queue[av.VideoFrame | None] = queue.Queue(_QUEUED_FRAMES)
        self._error: BaseException | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, image: UInt8[np.ndarray, "_ _ 3"], fps: Fraction) -> None:
        """Hand one picture over; waits while the encoder is behind.

        Raises:
            DeclaimError: encoding failed.
        """
        if self._thread is None:
            height, width = image.shape[:2]
            self._fps = fps
            self._thread = threading.Thread(target=self._run, args=(width, height), name="declaim-encoder", daemon=True)
            self._thread.start()
        elif fps != self._fps:
            raise ConfigError(f"frames change rate from {self._fps} to {fps}")
        self._hand_over(av.VideoFrame.from_ndarray(image, format="rgb24"))

    def finish(self) -> None:
        """Write what is left and close the file.

        Raises:
            DeclaimError: encoding failed.
        """
        if self._thread is not None:
            self._hand_over(None)
            self._thread.join()
            self._check()

    def abort(self) -> None:
        """Stop the thread if it still runs; what it wrote is worthless."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _hand_over(self, item: Any) -> None:
        while True:
            self._check()
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _pictures(self) -> Iterator[Any]:
        """What was handed over, until the end or a stop."""
        while not self._stopping.is_set():
            try:
                picture = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            if picture is None:
                return
            yield picture

    def _run(self, width: int, height: int) -> None:
        try:
            self._encode(width, height)
        except DeclaimError as error:
            self._error = error
        except (av.FFmpegError, OSError) as error:
            self._error = write_error(self._path, error)
        except BaseException as error:
            self._error = error

    def _encode(self, width: int, height: int) -> None:
        options = {"movflags": "+faststart"} if self._muxer != "matroska" else {}
        # "file:" keeps names with a colon from being taken for addresses.
        with av.open(f"file:{self._partial}", "w", format=self._muxer, options=options) as container:
            container.flags |= av.container.Flags.bitexact.value
            if self._comment:
                container.metadata["comment"] = self._comment
            video = self._video_stream(container, width, height)
            audio = SoundTrack(container, self._source, self._fps) if self._source else None
            reformatter = av.video.reformatter.VideoReformatter()
            for i, picture in enumerate(self._pictures()):
                frame = reformatter.reformat(
                    picture, format="yuv420p", dst_colorspace=1, src_color_range="JPEG", dst_color_range="MPEG",
                    interpolation=_ROUNDED, threads=1,
                )  # fmt: skip
                frame.pts, frame.time_base = i, 1 / self._fps
                container.mux(video.encode(frame))
                if audio:
                    audio.write_until(i + 1)
            container.mux(video.encode(None))
            if audio:
                audio.finish()

    def _video_stream(self, container: Any, width: int, height: int) -> Any:
        stream = container.add_stream("libx264", rate=self._fps, options={**self._options, "bf": "0"})
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context.time_base = 1 / self._fps
        context.thread_type, context.thread_count = "FRAME", _X264_THREADS
        context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
        context.color_range = 1  # limited
        context.flags |= av.codec.context.Flags.bitexact.value
        return stream
