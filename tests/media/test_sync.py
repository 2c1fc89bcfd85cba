"""A click and a flash at the same instant come out at the same instant, in and out, within 5 ms."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from declaim.media import probe, read_audio, read_frames, write_video
from declaim.timebase import frames_in
from declaim.types import Frames, Speech

from .clips import RATE, click, click_at, number_in, numbered, write_clip

FLASH = 30
N = 60


def flash_images(n: int = N, at: int = FLASH, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    width, height = size
    return [np.full((height, width, 3), 240 if i == at else 16, np.uint8) for i in range(n)]


def flash_at(path: Path) -> float:
    brightness = np.concatenate([run.images.mean(axis=(1, 2, 3)) for run in read_frames(path)])
    return int(np.argmax(brightness)) / 25


def assert_in_step(path: Path, at: float = FLASH / 25) -> None:
    speech = read_audio(path)
    heard, seen = click_at(speech.samples.numpy(), speech.sample_rate), flash_at(path)
    assert seen == pytest.approx(at, abs=1e-9)
    assert abs(heard - seen) < 0.005


@pytest.mark.parametrize(
    ("suffix", "video_codec", "audio_codec"),
    [
        (".mp4", "libx264", "aac"),
        (".mov", "libx264", "aac"),
        (".mov", "libx264", "pcm_s16le"),
        (".mkv", "libx264", "aac"),
        (".mkv", "libx264", "flac"),
        (".mkv", "libx264", "libmp3lame"),
        (".webm", "libvpx", "libopus"),
        (".avi", "mpeg4", "pcm_s16le"),
        (".ts", "libx264", "aac"),
    ],
)
@pytest.mark.parametrize("sound_start", [Fraction(0), Fraction(1, 4)])
def test_click_and_flash_agree(
    tmp_path: Path, suffix: str, video_codec: str, audio_codec: str, sound_start: Fraction
) -> None:
    if suffix == ".avi" and sound_start:
        pytest.skip("AVI has no start offsets")
    sound = click(2.4 - float(sound_start), FLASH / 25 - float(sound_start))
    path = write_clip(
        tmp_path / f"clip{suffix}",
        [Fraction(i, 25) for i in range(N)],
        flash_images(),
        sound,
        sound_start=sound_start,
        video_codec=video_codec,
        audio_codec=audio_codec,
        tick=Fraction(1, 25) if suffix == ".avi" else Fraction(1, 12_800),
        container_options={"avoid_negative_ts": "disabled"} if suffix == ".avi" else None,
    )
    assert_in_step(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_picture_that_starts_after_the_sound_sets_the_origin(tmp_path: Path, suffix: str) -> None:
    late = Fraction(2, 5)
    times = [late + Fraction(i, 25) for i in range(N)]
    path = write_clip(tmp_path / f"late{suffix}", times, flash_images(), click(3.0, float(late) + FLASH / 25))
    assert_in_step(path)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_both_streams_may_start_late(tmp_path: Path, suffix: str) -> None:
    times = [Fraction(3) + Fraction(i, 25) for i in range(N)]
    sound = click(2.0, FLASH / 25 - 0.2)
    path = write_clip(tmp_path / f"both{suffix}", times, flash_images(), sound, sound_start=Fraction(16, 5))
    assert_in_step(path)


def test_an_edit_list_that_cuts_the_beginning_is_honoured(tmp_path: Path) -> None:
    """Pictures with negative times are cut off by MP4's edit list; the sound must follow."""
    times = [Fraction(i - 10, 25) for i in range(N)]
    sound = click(2.4, FLASH / 25)
    path = write_clip(
        tmp_path / "edit.mp4", times, flash_images(), sound, sound_start=Fraction(-10, 25),
        container_options={"avoid_negative_ts": "disabled"},
    )  # fmt: skip
    with av.open(str(path)) as container:
        assert container.streams.video[0].start_time is not None
    heard = click_at(read_audio(path).samples.numpy(), 16_000)
    assert abs(heard - flash_at(path)) < 0.005


def test_a_pause_in_the_sound_is_kept(tmp_path: Path) -> None:
    """Packets are missing in the middle, as in a screen recording: what follows stays in its place."""
    path = tmp_path / "pause.mkv"
    sound = click(2.4, 2.0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=RATE, layout="mono")
        for start in range(0, sound.shape[1], 1024):
            if 20 <= start // 1024 < 50:
                continue
            block = (sound[:, start : start + 1024] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert abs(click_at(read_audio(path).samples.numpy(), 16_000) - 2.0) < 0.005


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("audio", ["speech", "wav", "m4a", "video"])
def test_round_trip_keeps_picture_and_sound_together(tmp_path: Path, suffix: str, audio: str) -> None:
    sound = click(2.4, FLASH / 25)
    source: Path | Speech
    if audio == "speech":
        source = read_audio(write_clip(tmp_path / "in.wav", sound=sound, audio_codec="pcm_s16le"))
    elif audio == "video":
        late = [Fraction(i, 25) + Fraction(1, 5) for i in range(N)]
        source = write_clip(tmp_path / "in.mp4", late, flash_images(), click(2.6, 0.2 + FLASH / 25))
    else:
        codec = {"wav": "pcm_s16le", "m4a": "aac"}[audio]
        source = write_clip(tmp_path / f"in.{audio}", sound=sound, audio_codec=codec)
    out = tmp_path / f"out{suffix}"
    write_video(out, [Frames(np.stack(flash_images()))], source, N)
    assert_in_step(out)
    assert read_audio(out).n_frames == N
    info = probe(out)
    assert info.has_audio and info.has_video and info.fps == 25
    assert info.duration_s == pytest.approx(N / 25, abs=1e-3)


@pytest.mark.parametrize("n_samples", [1, 800, 16_000, 981_920])
def test_length_is_the_speech_s_to_the_frame(tmp_path: Path, n_samples: int) -> None:
    import torch

    speech = Speech(torch.cos(torch.arange(n_samples) * 0.1) * 0.5, 16_000)
    n = frames_in(n_samples)
    picture = numbered(5)[None]
    out = tmp_path / "out.mp4"
    write_video(out, (Frames(picture.repeat(min(64, n - i), axis=0)) for i in range(0, n, 64)), speech, n)
    assert sum(len(run) for run in read_frames(out)) == n == speech.n_frames
    assert read_audio(out).n_frames == n
    with av.open(str(out)) as container:
        for stream in container.streams:
            assert stream.duration * stream.time_base == Fraction(n, 25)
            assert stream.start_time == 0


def test_every_frame_arrives_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    write_video(out, (Frames(np.stack([numbered(i + j) for j in range(7)])) for i in range(0, 70, 7)))
    seen = [number_in(image) for run in read_frames(out) for image in run.images]
    assert seen == list(range(70))
