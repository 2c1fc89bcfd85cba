"""Pictures at the right time, upright, of the right size and colour; bad videos refused."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from declaim.errors import ConfigError, DeclaimWarning, NoPicture, Unreadable
from declaim.media import probe, read_frames, write_video
from declaim.media.video_io import first_frame
from declaim.types import Frames

from .clips import click, number_in, numbered, write_clip


def numbers(path: Path, **options: object) -> list[int]:
    return [number_in(image) for run in read_frames(path, **options) for image in run.images]


def held(times: list[Fraction], end: Fraction, fps: Fraction = Fraction(25), tick: Fraction = Fraction(0)) -> list[int]:
    """By the definition: which picture is on screen at i / fps (a container's rounding of times allowed for)."""
    out, i = [], 0
    while Fraction(i) / fps < end - tick:
        out.append(max(k for k, time in enumerate(times) if time <= Fraction(i) / fps + tick))
        i += 1
    return out


def variable_times(seed: int, n: int = 80, grid: int = 600) -> list[Fraction]:
    steps = np.random.default_rng(seed).integers(4, 80, n)
    return [Fraction(int(t), grid) for t in np.cumsum(steps) - steps[0]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_variable_rate_comes_out_by_presentation_time(tmp_path: Path, suffix: str, seed: int) -> None:
    times = variable_times(seed)
    path = write_clip(tmp_path / f"a{suffix}", times, [numbered(i) for i in range(len(times))], tick=Fraction(1, 600))
    if suffix == ".mkv":  # whole milliseconds
        times = [Fraction(round(time * 1000), 1000) for time in times]
        tick = Fraction(1, 1000)
    else:
        tick = Fraction(1, 600)
    seen = numbers(path)
    expected = held(times, times[-1] + Fraction(1, 600), tick=min(tick, Fraction(1, 1000)))
    assert seen[: len(expected)] == expected
    assert set(seen[len(expected) :]) <= {len(times) - 1}


@pytest.mark.parametrize(
    "rate", [Fraction(24), Fraction(25), Fraction(30), Fraction(30_000, 1001), Fraction(50), Fraction(12), Fraction(60)]
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_constant_rates_to_25(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    n = int(rate * 2)
    times = [i / rate for i in range(n)]
    tick = 1 / (rate * 512) if suffix == ".mp4" else Fraction(1, 1000)
    path = write_clip(tmp_path / f"a{suffix}", times, [numbered(i) for i in range(n)], tick=tick)
    seen = numbers(path)
    exact = held([round(t / tick) * tick for t in times], n / rate, tick=min(tick, Fraction(1, 1000)))
    assert abs(len(seen) - len(exact)) <= 1
    assert seen[: len(exact)] == exact[: len(seen)]


@pytest.mark.parametrize("n", [1, 2, 25, 33])
def test_25_in_25_out(tmp_path: Path, n: int) -> None:
    for suffix in (".mp4", ".mkv", ".mov", ".avi"):
        codec = "mpeg4" if suffix == ".avi" else "libx264"
        tick = Fraction(1, 25)
        path = write_clip(
            tmp_path / f"a{suffix}",
            [i * tick for i in range(n)],
            [numbered(i) for i in range(n)],
            tick=tick,
            video_codec=codec,
        )
        assert numbers(path) == list(range(n))
        assert probe(path).fps == 25
        assert probe(path).duration_s == pytest.approx(n / 25, abs=2e-3)


def test_b_frames_come_in_display_order(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"bf": "3", "preset": "medium", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(40):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(i), format="rgb24")))
        out.mux(stream.encode(None))
    assert numbers(path) == list(range(40))


def test_every_picture_once_at_the_file_s_own_rate(tmp_path: Path) -> None:
    times = variable_times(7)
    path = write_clip(tmp_path / "a.mp4", times, [numbered(i) for i in range(len(times))], tick=Fraction(1, 600))
    assert numbers(path, fps=None) == list(range(len(times)))


def test_other_rates(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [Fraction(i, 25) for i in range(25)], [numbered(i) for i in range(25)])
    assert numbers(path, fps=Fraction(50)) == [i // 2 for i in range(50)]
    assert numbers(path, fps=Fraction(5)) == [0, 5, 10, 15, 20]
    with pytest.raises(ConfigError):
        next(read_frames(path, fps=Fraction(0)))


@pytest.mark.parametrize(("width", "height"), [(360, 288), (426, 240), (64, 48), (70, 50), (178, 102)])
def test_rows_are_not_sheared(tmp_path: Path, width: int, height: int) -> None:
    """Planes are padded to the CPU's alignment: a reader that forgets that shears the picture."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (200, 40, 90)
    image[:, width // 2 :] = (30, 160, 220)
    path = write_video(tmp_path / "a.mp4", [Frames(image[None].repeat(3, axis=0))])
    for run in read_frames(path):
        assert run.images.flags.c_contiguous and run.images.shape == (3, height, width, 3)
        difference = np.abs(run.images.astype(int) - image)
        difference[:, :, width // 2 - 8 : width // 2 + 8] = 0
        assert difference.max() <= 12


@pytest.mark.parametrize("size", [(64, 64), (1280, 720)])
def test_colours_survive(tmp_path: Path, size: tuple[int, int]) -> None:
    """RGB -> BT.709 -> RGB within coding loss, without a cast: tags and conversion agree at every size."""
    rng = np.random.default_rng(0)
    patches = np.concatenate([rng.integers(0, 256, (56, 3)), np.linspace(0, 255, 8).astype(int)[:, None].repeat(3, 1)])
    image = patches.reshape(8, 8, 3).repeat(size[1] // 8, 0).repeat(size[0] // 8, 1).astype(np.uint8)
    path = write_video(tmp_path / "a.mp4", [Frames(image[None])], crf=1)
    seen = next(read_frames(path)).images[0].astype(int)
    h, w = size[1] // 8, size[0] // 8
    centres = np.s_[h // 2 :: h, w // 2 :: w]
    difference = seen[centres] - image[centres].astype(int)
    assert np.abs(difference).max() <= 6
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.5


def test_output_is_tagged_bt709(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [Frames(numbered(1)[None])])
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)
        assert frame.format.name == "yuv420p"


def corners() -> np.ndarray:
    """A picture whose four corners differ: red, green, blue, white, clockwise from the top left."""
    image = np.full((64, 96, 3), 80, np.uint8)
    image[:24, :24], image[:24, -24:] = (220, 20, 20), (20, 220, 20)
    image[-24:, -24:], image[-24:, :24] = (20, 20, 220), (235, 235, 235)
    return image


# The 3 x 3 display matrix of MP4, 16.16 fixed point, for a clockwise turn; and the mirror of front cameras.
MATRICES = {
    "90": [0, 1, 0, -1, 0, 0],
    "180": [-1, 0, 0, 0, -1, 0],
    "270": [0, -1, 0, 1, 0, 0],
    "mirror": [-1, 0, 0, 0, 1, 0],
    "flip": [1, 0, 0, 0, -1, 0],
    "transpose": [0, 1, 0, 1, 0, 0],
}
UPRIGHT = {
    "90": lambda a: np.rot90(a, -1),
    "180": lambda a: np.rot90(a, 2),
    "270": lambda a: np.rot90(a, 1),
    "mirror": lambda a: a[:, ::-1],
    "flip": lambda a: a[::-1],
    "transpose": lambda a: a.transpose(1, 0, 2),
}


def with_matrix(path: Path, matrix: list[int]) -> Path:
    """Write the display matrix into the video track's header, where phones put it."""
    data = bytearray(path.read_bytes())
    identity = b"".join(v.to_bytes(4, "big") for v in (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30))
    at = data.index(identity, data.index(b"tkhd"))
    a, b, u, c, d, v = (65536 * m for m in matrix)
    new = b"".join((m % 2**32).to_bytes(4, "big") for m in (a, b, u, c, d, v, 0, 0, 1 << 30))
    data[at : at + 36] = new
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", sorted(MATRICES))
def test_display_rotation_is_undone(tmp_path: Path, kind: str) -> None:
    path = write_clip(tmp_path / "a.mp4", [0, 0.04], [corners()] * 2)
    with_matrix(path, MATRICES[kind])
    upright = UPRIGHT[kind](corners())
    seen = next(read_frames(path)).images[0]
    assert seen.shape == upright.shape
    inner = np.s_[4:20, 4:20]
    for part in (inner, (inner[0], np.s_[-20:-4]), (np.s_[-20:-4], inner[1]), (np.s_[-20:-4], np.s_[-20:-4])):
        assert np.abs(seen[part].astype(int) - upright[part]).mean() < 8
    info = probe(path)
    assert (info.height, info.width) == upright.shape[:2]
    assert info.rotation == {"90": 90, "180": 180, "270": 270}.get(kind, info.rotation)
    assert first_frame(path).shape == upright.shape


def test_pixels_come_out_square(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 72, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 72, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    assert next(read_frames(path)).images.shape[1:3] == (64, 96)
    assert (probe(path).width, probe(path).height) == (96, 64)


def test_max_side(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [0, 0.04], [corners()] * 2)
    assert next(read_frames(path, max_side=48)).images.shape[1:3] == (32, 48)
    assert next(read_frames(path, max_side=500)).images.shape[1:3] == (64, 96)
    with_matrix(path, MATRICES["90"])
    assert next(read_frames(path, max_side=48)).images.shape[1:3] == (48, 32)


def test_odd_sizes_are_read(tmp_path: Path) -> None:
    image = np.full((63, 95, 3), 128, np.uint8)
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 95, 63, "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    assert next(read_frames(path)).images.shape == (1, 63, 95, 3)


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".webm", "libvpx"), (".mkv", "libx265"), (".avi", "mjpeg"), (".mpg", "mpeg2video")]
)
def test_other_codecs(tmp_path: Path, suffix: str, codec: str) -> None:
    tick = Fraction(1, 25)
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height = 128, 96
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.bit_rate = 4_000_000
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        for i in range(20):
            image = np.zeros((96, 128, 3), np.uint8)
            image[:48, :64] = numbered(i)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert numbers(path) == list(range(20))


def test_memory_stays_constant(tmp_path: Path) -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    path = write_video(tmp_path / "a.mp4", (Frames(image[None].repeat(10, axis=0)) for _ in range(20)))
    runs = [len(run) for run in read_frames(path)]
    assert sum(runs) == 200 and max(runs) <= 32


def test_a_truncated_video_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (48, 64, 3)).astype(np.uint8) for _ in range(100)]
    whole = write_video(tmp_path / "whole.mp4", [Frames(np.stack(images))])
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.warns(DeclaimWarning, match=r"(cut off|damaged).* s of picture"):
        n = sum(len(run) for run in read_frames(cut))
    assert 30 < n < 70
    cut.write_bytes(data[: data.index(b"mdat") + 4])
    with pytest.raises(Unreadable, match="corrupt"):
        list(read_frames(cut))
    with pytest.raises(Unreadable, match="corrupt"):
        first_frame(cut)


@pytest.mark.parametrize("read", [probe, lambda path: list(read_frames(path)), first_frame])
def test_what_is_no_video_is_refused(tmp_path: Path, read: object) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "text.mp4").write_text("no video\n" * 300)
    (tmp_path / "text.txt").write_text("no video\n" * 300)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(9_000))
    for name in ("none.mp4", "empty.mp4", "folder.mp4", "text.mp4", "text.txt", "noise.mp4"):
        with pytest.raises(Unreadable) as caught:
            read(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wav", sound=click(1, 0.5), audio_codec="pcm_s16le")
    with pytest.raises(NoPicture, match="sound but no moving picture"):
        list(read_frames(path))
    info = probe(path)
    assert info.has_audio and not info.has_video and info.fps is None
    assert info.duration_s == pytest.approx(1)


def test_the_content_decides_and_names_may_be_odd(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mp4", [Fraction(i, 25) for i in range(5)], [numbered(i) for i in range(5)])
    for name in ("a.wav", "a.txt", "ein Film.mp4", "кино 映画.mp4", "a:b.mp4", "%d.mp4", "a.png", "no_suffix"):
        shutil.copy(whole, tmp_path / name)
        assert numbers(tmp_path / name) == list(range(5))


def test_real_footage(footage: Path) -> None:
    path = min((footage / "clips").glob("*/*.mkv"), key=lambda p: p.stat().st_size)
    info = probe(path)
    n = sum(len(run) for run in read_frames(path))
    assert abs(n - info.duration_s * 25) <= 1


def spliced(path: Path, first: list[Fraction], second: list[Fraction], sound: bool) -> Path:
    """MPEG-TS whose clock jumps between two parts, as after a cut: two files joined byte by byte."""
    parts = []
    for k, times in enumerate((first, second)):
        images = [numbered(i + k * len(first)) for i in range(len(times))]
        part = path.with_name(f"part{k}.ts")
        extra = {"sound": click(len(times) / 25, 0.5), "sound_start": times[0]} if sound else {}
        parts.append(write_clip(part, times, images, container_options={"muxdelay": "0"}, **extra))
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("jump", [Fraction(-4), Fraction(2_000)])
def test_a_reset_clock_neither_drops_nor_freezes(tmp_path: Path, jump: Fraction) -> None:
    first = [Fraction(5) + Fraction(i, 25) for i in range(30)]
    second = [first[-1] + jump + Fraction(i + 1, 25) for i in range(30)]
    seen = numbers(spliced(tmp_path / "a.ts", first, second, sound=False))
    assert 58 <= len(seen) <= 62
    assert set(range(60)) - set(seen) <= {29, 30}


def test_sound_and_picture_stay_together_over_a_reset_clock(tmp_path: Path) -> None:
    from declaim.media import read_audio

    first = [Fraction(5) + Fraction(i, 25) for i in range(50)]
    second = [Fraction(1) + Fraction(i, 25) for i in range(50)]
    path = spliced(tmp_path / "a.ts", first, second, sound=True)
    samples = np.abs(read_audio(path).samples.numpy())
    clicks = [int(np.argmax(samples[:24_000])) / 16_000, 1.5 + int(np.argmax(samples[24_000:])) / 16_000]
    seen = numbers(path)
    assert clicks[0] == pytest.approx(0.5, abs=0.005)
    assert clicks[1] - 0.5 == pytest.approx(seen.index(60) / 25 - 10 / 25, abs=0.05)


def test_a_picture_that_changes_its_size_is_scaled_to_the_first(tmp_path: Path) -> None:
    paths = []
    for k, size in enumerate([(64, 48), (128, 96)]):
        paths.append(tmp_path / f"{k}.ts")
        write_clip(
            paths[-1],
            [Fraction(i + 20 * k, 25) for i in range(20)],
            [np.full((size[1], size[0], 3), 90, np.uint8)] * 20,
        )
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(p.read_bytes() for p in paths))
    shapes = {run.images.shape[1:] for run in read_frames(path)}
    assert shapes == {(48, 64, 3)}
    assert sum(len(run) for run in read_frames(path)) >= 38


def test_hdr_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = 18, 9, 9
        out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(1), format="rgb24")))
        out.mux(stream.encode(None))
    with pytest.warns(DeclaimWarning, match="HLG"):
        assert numbers(path) == [1]
