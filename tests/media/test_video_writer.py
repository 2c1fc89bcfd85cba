"""Videos appear whole or not at all, the same every time, with the user's own sound."""

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from declaim.errors import ConfigError, NoAudio, Unreadable, Unwritable
from declaim.media import probe, read_audio, read_frames, stream_sound, write_video
from declaim.types import Frames, Speech

from .clips import RATE, click, numbered, write_clip


def runs(n: int = 20, size: int = 5) -> Iterator[Frames]:
    for start in range(0, n, size):
        yield Frames(np.stack([numbered(i) for i in range(start, min(start + size, n))]))


def assert_clean(folder: Path, *names: str) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def one_sentence(error: Exception) -> bool:
    return "\n" not in str(error) and len(str(error)) < 300


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_same_input_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (9, 64, 96, 3)).astype(np.uint8) for _ in range(8)]
    speech = Speech(torch.from_numpy(rng.normal(0, 0.1, 50_000).astype(np.float32)), 16_000)
    a = write_video(tmp_path / f"a{suffix}", (Frames(x) for x in noise), speech)
    b = write_video(tmp_path / f"b{suffix}", (Frames(x[i : i + 1]) for x in noise for i in range(9)), speech)
    assert a.read_bytes() == b.read_bytes()


def test_mp4_starts_with_its_index(tmp_path: Path) -> None:
    data = write_video(tmp_path / "a.mp4", runs()).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(("height", "width"), [(63, 96), (64, 95), (63, 95), (49, 65)])
def test_an_odd_side_gains_one_pixel(tmp_path: Path, height: int, width: int) -> None:
    image = np.full((height, width, 3), 40, np.uint8)
    image[-1], image[:, -1] = 220, 220
    path = write_video(tmp_path / "a.mp4", [Frames(image[None])], crf=5)
    seen = next(read_frames(path)).images[0]
    assert seen.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(seen[:height, :width].astype(int) - image).mean() < 6
    if height % 2:
        assert seen[-1].mean() > 180
    if width % 2:
        assert seen[:, -1].mean() > 180


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 22_050])
def test_the_file_s_own_stereo_sound_is_kept(tmp_path: Path, rate: int) -> None:
    t = np.arange(rate) / rate
    sound = np.stack([0.4 * np.sin(2 * np.pi * 9_000 * t), 0.4 * np.sin(2 * np.pi * 500 * t)]).astype(np.float32)
    source = write_clip(tmp_path / "in.wav", sound=sound, rate=rate, audio_codec="pcm_s16le")
    out = write_video(tmp_path / "out.mp4", runs(25), source)
    with av.open(str(out)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "aac"
        assert stream.rate == (rate if rate in (44_100, 48_000) else 48_000)
        assert stream.layout.name == "stereo"
    left, right = np.concatenate(list(stream_sound(out, channels=2))).T
    assert len(left) == stream.rate
    for heard, hertz in ((left, 9_000), (right, 500)):
        spectrum = np.abs(np.fft.rfft(heard))
        assert abs(int(np.argmax(spectrum)) - hertz) <= 1
        assert heard.std() == pytest.approx(0.4 / 2**0.5, rel=0.1)


def test_mono_stays_mono(tmp_path: Path) -> None:
    speech = read_audio(write_clip(tmp_path / "in.wav", sound=click(1, 0.5), audio_codec="pcm_s16le"))
    with av.open(str(write_video(tmp_path / "out.mp4", runs(25), speech))) as container:
        assert container.streams.audio[0].layout.name == "mono"


@pytest.mark.parametrize("n", [10, 40])
def test_the_frames_decide_the_length(tmp_path: Path, n: int) -> None:
    """Sound of one second under fewer and under more frames."""
    source = write_clip(tmp_path / "in.wav", sound=click(1, 0.2), audio_codec="pcm_s16le")
    out = write_video(tmp_path / "out.mp4", runs(n), source)
    assert read_audio(out).n_frames == n
    assert len(read_audio(out).samples) == n * 640


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(30_000, 1001)])
def test_frame_rates(tmp_path: Path, fps: Fraction) -> None:
    speech = Speech(torch.full((16_000,), 0.1), 16_000)
    out = write_video(tmp_path / "out.mp4", runs(10), speech, fps=fps)
    info = probe(out)
    assert info.fps == fps
    assert info.duration_s == pytest.approx(float(10 / fps), abs=1e-3)


def test_without_sound(tmp_path: Path) -> None:
    out = write_video(tmp_path / "out.mp4", runs())
    assert not probe(out).has_audio


def test_progress_counts_frames(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    write_video(tmp_path / "a.mp4", runs(12), n_frames=12, on_step=lambda done, total: steps.append((done, total)))
    assert steps == [(5, 12), (10, 12), (12, 12)]


def test_a_renderer_may_reuse_its_buffer(tmp_path: Path) -> None:
    def reusing() -> Iterator[Frames]:
        buffer = np.zeros((1, 48, 64, 3), np.uint8)
        for i in range(60):
            buffer[0] = numbered(i)
            yield Frames(buffer)

    from .clips import number_in

    path = write_video(tmp_path / "a.mp4", reusing())
    assert [number_in(image) for run in read_frames(path) for image in run.images] == list(range(60))


@pytest.mark.parametrize("name", ["ein Film.mp4", "кино 映画.mp4", "a:b.mp4", "%03d.mp4", "-x.mp4", "A.MP4"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    write_video(tmp_path / name, runs())
    assert_clean(tmp_path, name)
    assert probe(tmp_path / name).has_video


def test_refused_outputs(tmp_path: Path) -> None:
    pulled = []

    def watched() -> Iterator[Frames]:
        pulled.append(1)
        yield from runs()

    (tmp_path / "folder.mp4").mkdir()
    for name, word in [
        ("none/a.mp4", "does not exist"),
        ("folder.mp4", "folder"),
        ("a.xyz", ".mp4"),
        ("a.webm", ".mp4"),
        ("a", ".mp4"),
    ]:
        with pytest.raises(Unwritable, match=word) as caught:
            write_video(tmp_path / name, watched())
        assert one_sentence(caught.value)
    assert not pulled, "nothing may be rendered for an output that cannot be written"
    assert_clean(tmp_path, "folder.mp4")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root may write to")
def test_a_read_only_folder_is_refused() -> None:
    with pytest.raises(Unwritable, match="cannot write") as caught:
        write_video("/proc/self/a.mp4", runs())
    assert one_sentence(caught.value)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(Unwritable):
            write_video(tmp_path / "a.mp4", runs())
    finally:
        tmp_path.chmod(0o755)


def test_a_sound_file_that_cannot_be_used_is_found_before_rendering(tmp_path: Path) -> None:
    pulled = []

    def watched() -> Iterator[Frames]:
        pulled.append(1)
        yield from runs()

    silent = write_video(tmp_path / "silent.mp4", runs())
    with pytest.raises(NoAudio):
        write_video(tmp_path / "a.mp4", watched(), silent)
    with pytest.raises(Unreadable):
        write_video(tmp_path / "a.mp4", watched(), tmp_path / "none.wav")
    assert not pulled
    assert_clean(tmp_path, "silent.mp4")


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_failing_renderer_leaves_nothing_and_the_old_file_stays(tmp_path: Path, at: int) -> None:
    path = write_video(tmp_path / "a.mp4", runs())
    before = path.read_bytes()

    def failing() -> Iterator[Frames]:
        for i, run in enumerate(runs(100)):
            if i == at:
                raise RuntimeError("renderer broke")
            yield run

    with pytest.raises(RuntimeError, match="renderer broke"):
        write_video(path, failing())
    assert_clean(tmp_path, "a.mp4")
    assert path.read_bytes() == before


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no frames"):
        write_video(tmp_path / "a.mp4", [])
    with pytest.raises(ConfigError, match="20 frames came"):
        write_video(tmp_path / "a.mp4", runs(20), n_frames=21)
    sizes = [Frames(np.zeros((2, 64, 64, 3), np.uint8)), Frames(np.zeros((2, 64, 66, 3), np.uint8))]
    with pytest.raises(ConfigError, match="size"):
        write_video(tmp_path / "a.mp4", sizes)
    rates = [Frames(np.zeros((2, 64, 64, 3), np.uint8)), Frames(np.zeros((2, 64, 64, 3), np.uint8), Fraction(30))]
    with pytest.raises(ConfigError, match="rate"):
        write_video(tmp_path / "a.mp4", rates)
    assert_clean(tmp_path)


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from declaim.errors import CapacityError
from declaim.media import write_video
from declaim.types import Frames

for suffix in (".mp4", ".mkv"):
    for limit in (0, 100_000, 400_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        rng = np.random.default_rng(0)
        noise = (Frames(rng.integers(0, 256, (4, 128, 128, 3)).astype(np.uint8)) for _ in range(12))
        path = Path(sys.argv[1], "a" + suffix)
        try:
            write_video(path, noise)
        except CapacityError as error:
            print(f"refused: cannot write {path}: " in f"refused: {error}", error)
        print(sorted(path.parent.iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """Under a limit of file size writing fails in the middle for real, as on a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert all(line.startswith("True cannot write ") and "free some space" in line for line in lines[::2])
    assert set(lines[1::2]) == {"[]"}
    assert done.stderr == ""


def test_reading_back_at_full_rate(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.flac", sound=click(1, 0.5, RATE, 2), audio_codec="flac")
    out = write_video(tmp_path / "out.mp4", runs(25), source)
    left = np.concatenate(list(stream_sound(out, channels=2)))[:, 0]
    assert abs(int(np.argmax(np.abs(left))) - RATE // 2) <= 5


def test_comment_is_kept(tmp_path: Path) -> None:
    pictures = Frames(np.zeros((3, 32, 32, 3), np.uint8))
    for suffix in (".mp4", ".mov", ".mkv"):
        path = write_video(tmp_path / f"a{suffix}", iter([pictures]), comment="made by a test")
        with av.open(path) as container:
            kept = {name.lower(): text for name, text in container.metadata.items()}
        assert kept["comment"] == "made by a test", (suffix, kept)
