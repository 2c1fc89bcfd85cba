"""Every common kind of sound, and every kind of bad one."""

import shutil
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from declaim.errors import DeclaimWarning, NoAudio, Unreadable
from declaim.media import read_audio, stream_sound
from declaim.media.audio_io import SoundReport

from .clips import RATE, click, click_at, numbered, write_clip


def tone(seconds: float, rate: int, channels: int = 1, hertz: float = 440.0) -> np.ndarray:
    wave_ = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave_[None].astype(np.float32), channels, axis=0)


def write_float_wav(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [
        (".wav", "pcm_s16le", 44_100),
        (".wav", "pcm_s24le", 48_000),
        (".wav", "pcm_s32le", 48_000),
        (".wav", "pcm_f32le", 48_000),
        (".wav", "pcm_f64le", 48_000),
        (".wav", "pcm_u8", 48_000),
        (".wav", "pcm_mulaw", 8_000),
        (".wav", "pcm_s16le", 8_000),
        (".wav", "pcm_s16le", 96_000),
        (".wav", "pcm_s16le", 16_000),
        (".aiff", "pcm_s16be", 44_100),
        (".flac", "flac", 44_100),
        (".flac", "flac", 96_000),
        (".mp3", "libmp3lame", 44_100),
        (".mp3", "libmp3lame", 16_000),
        (".m4a", "aac", 44_100),
        (".m4a", "aac", 48_000),
        (".m4a", "alac", 48_000),
        (".ogg", "libopus", 48_000),
        (".opus", "libopus", 48_000),
        (".ogg", "flac", 48_000),
        (".webm", "libopus", 48_000),
        (".mka", "aac", 48_000),
        (".mov", "aac", 48_000),
        (".avi", "pcm_s16le", 48_000),
    ],
)
def test_common_kinds_keep_time_length_and_level(tmp_path: Path, suffix: str, codec: str, rate: int) -> None:
    path = write_clip(tmp_path / f"a{suffix}", sound=click(1.5, 0.7, rate), audio_codec=codec, rate=rate)
    speech = read_audio(path)
    assert speech.sample_rate == 16_000
    assert abs(click_at(speech.samples.numpy(), 16_000) - 0.7) < 0.002
    assert abs(speech.duration_s - 1.5) < 0.03
    # the soft pulse is narrow: 8 kHz and lossy coding take a little of its height
    assert 0.6 < float(speech.samples.max()) < 0.9


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000])
def test_resampling_is_faithful(tmp_path: Path, rate: int) -> None:
    path = write_clip(tmp_path / "a.wav", sound=tone(1.0, rate), rate=rate, audio_codec="pcm_s16le")
    samples = read_audio(path).samples.numpy()
    truth = tone(1.0, 16_000)[0]
    assert len(samples) == 16_000
    assert np.abs(samples - truth)[500:-500].max() < 2e-3


def test_lossless_sound_at_its_own_rate_comes_out_exactly(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32_768, 32_768, 5_000).astype(np.int16)
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(samples.tobytes())
    assert np.array_equal(read_audio(path).samples.numpy() * 32_768, samples)


def test_sound_of_a_video_is_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [0, 0.04], [numbered(0), numbered(1)], tone(0.5, RATE, 2))
    assert abs(read_audio(path).duration_s - 0.5) < 0.03


def test_stereo_is_averaged(tmp_path: Path) -> None:
    sound = np.stack([tone(0.3, 16_000)[0], np.zeros(4_800, np.float32)])
    path = write_clip(tmp_path / "a.wav", sound=sound, rate=16_000, audio_codec="pcm_f32le")
    assert np.allclose(read_audio(path).samples.numpy(), sound.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("channel", "weight"), [(0, 0.5), (1, 0.5), (2, 0.5**0.5), (3, 0.0), (4, 0.5**1.5), (5, 0.5**1.5)]
)
def test_5_1_is_mixed_with_the_centre_in_front(tmp_path: Path, channel: int, weight: float) -> None:
    sound = np.zeros((6, 4_800), np.float32)
    sound[channel] = tone(0.3, 16_000)[0]
    path = write_clip(tmp_path / "a.wav", sound=sound, rate=16_000, audio_codec="pcm_f32le", layout="5.1")
    if weight == 0:
        with pytest.warns(DeclaimWarning, match="silent"):
            samples = read_audio(path).samples.numpy()
    else:
        samples = read_audio(path).samples.numpy()
    assert np.allclose(samples, sound[channel] * weight, atol=1e-6)


def test_5_1_aac_is_read(tmp_path: Path) -> None:
    sound = np.zeros((6, RATE), np.float32)
    sound[2] = click(1.0, 0.5)[0]
    path = write_clip(tmp_path / "a.m4a", sound=sound, layout="5.1")
    assert abs(click_at(read_audio(path).samples.numpy(), 16_000) - 0.5) < 0.002


def test_stereo_of_5_1_keeps_the_sides_apart(tmp_path: Path) -> None:
    sound = np.zeros((6, 4_800), np.float32)
    sound[0], sound[2] = 0.25, 0.5
    path = write_clip(tmp_path / "a.wav", sound=sound, rate=16_000, audio_codec="pcm_f32le", layout="5.1")
    left, right = np.concatenate(list(stream_sound(path, channels=2))).T
    assert np.allclose(left, 0.25 + 0.5 * 0.5**0.5, atol=1e-6)
    assert np.allclose(right, 0.5 * 0.5**0.5, atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 16_000, 96_000])
@pytest.mark.parametrize("samples", [6, 7])
def test_a_few_samples_are_sound(tmp_path: Path, rate: int, samples: int) -> None:
    sound = np.full((1, samples), 0.5, np.float32)
    path = write_clip(tmp_path / "a.wav", sound=sound, rate=rate, audio_codec="pcm_f32le")
    assert len(read_audio(path).samples) == pytest.approx(samples * 16_000 / rate, abs=1)


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".wav", "pcm_s16le"), (".mp3", "libmp3lame"), (".m4a", "aac"), (".opus", "libopus")]
)
def test_50_ms_work(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_clip(tmp_path / f"a{suffix}", sound=tone(0.05, RATE), audio_codec=codec)
    speech = read_audio(path)
    assert 0.049 < speech.duration_s < 0.09
    assert speech.samples.abs().max() > 0.2


def test_silence_is_read_with_a_warning(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wav", sound=np.zeros((1, 16_000), np.float32), audio_codec="pcm_s16le")
    with pytest.warns(DeclaimWarning, match="silent"):
        assert not read_audio(path).samples.any()


def test_sound_without_a_number_is_refused(tmp_path: Path) -> None:
    path = write_float_wav(tmp_path / "a.wav", np.full(16_000, np.nan))
    with pytest.raises(NoAudio, match="NaN"):
        read_audio(path)


def test_some_nan_and_infinite_samples_become_zero(tmp_path: Path) -> None:
    samples = tone(1.0, 16_000)[0]
    samples[100:200], samples[300] = np.nan, -np.inf
    path = write_float_wav(tmp_path / "a.wav", samples)
    with pytest.warns(DeclaimWarning, match="101 NaN or infinite samples of 16000"):
        read = read_audio(path).samples.numpy()
    assert np.array_equal(read, np.where(np.isfinite(samples), samples, 0))


def test_samples_far_out_of_range_are_scaled(tmp_path: Path) -> None:
    path = write_float_wav(tmp_path / "a.wav", tone(1.0, 16_000)[0] * 32_768)
    with pytest.warns(DeclaimWarning, match="scaled down"):
        assert float(read_audio(path).samples.abs().max()) == pytest.approx(1)


def test_an_overshoot_is_clipped(tmp_path: Path) -> None:
    path = write_float_wav(tmp_path / "a.wav", tone(1.0, 16_000)[0] * 2.4)
    assert float(read_audio(path).samples.abs().max()) == 1


@pytest.mark.parametrize("suffix", ["", ".wav", ".mp3", ".mp4", ".flac", ".txt", ".png", ".h264"])
@pytest.mark.parametrize("content", ["text", "bytes", "zeros", "playlist"])
def test_what_is_no_sound_is_refused(tmp_path: Path, suffix: str, content: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(
        {
            "text": b"This is no sound, only a text.\n" * 200,
            "bytes": np.random.default_rng(1).bytes(20_000),
            "zeros": bytes(20_000),
            "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n",
        }[content]
    )
    with pytest.raises((Unreadable, NoAudio)) as caught:
        read_audio(path)
    assert_one_sentence(caught.value, path)


def assert_one_sentence(error: Exception, path: Path) -> None:
    text = str(error)
    assert str(path) in text and "\n" not in text and len(text.replace(str(path), "")) < 200


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    for name, word in [("none.wav", "no such file"), ("empty.wav", "empty"), ("folder.wav", "folder")]:
        with pytest.raises(Unreadable, match=word) as caught:
            read_audio(tmp_path / name)
        assert_one_sentence(caught.value, tmp_path / name)


def test_a_header_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
    with pytest.raises((NoAudio, Unreadable)) as caught:
        read_audio(path)
    assert_one_sentence(caught.value, path)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [0, 0.04], [numbered(0), numbered(1)])
    with pytest.raises(NoAudio, match="picture but no sound") as caught:
        read_audio(path)
    assert_one_sentence(caught.value, path)


def test_a_picture_is_no_sound(tmp_path: Path) -> None:
    from declaim.media import write_image

    path = write_image(tmp_path / "a.png", numbered(1))
    with pytest.raises((NoAudio, Unreadable)):
        read_audio(path)
    path.rename(tmp_path / "a.wav")
    with pytest.raises((NoAudio, Unreadable)):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".wav", "pcm_s16le", {}),
        (".flac", "flac", {}),
        (".mp3", "libmp3lame", {}),
        (".ogg", "libopus", {}),
        (".m4a", "aac", {"movflags": "+faststart"}),
        (".mka", "flac", {}),
    ],
)
def test_a_truncated_file_is_read_as_far_as_it_goes(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, (1, 6 * RATE)).astype(np.float32)
    whole = write_clip(tmp_path / f"whole{suffix}", sound=noise, audio_codec=codec, container_options=options)
    path = tmp_path / f"cut{suffix}"
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.warns(DeclaimWarning, match=r"(cut off|damaged).* s "):
        speech = read_audio(path)
    assert 1.9 < speech.duration_s < 4.0


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.m4a", sound=tone(3, RATE))
    (tmp_path / "cut.m4a").write_bytes(whole.read_bytes()[:-2_000])
    with pytest.raises(Unreadable, match="corrupt or cut off") as caught:
        read_audio(tmp_path / "cut.m4a")
    assert_one_sentence(caught.value, tmp_path / "cut.m4a")


def test_damage_in_the_middle_keeps_what_follows_in_place(tmp_path: Path) -> None:
    sound = click(4, 3.5) + 0.02 * np.random.default_rng(3).normal(size=(1, 4 * RATE)).astype(np.float32)
    path = write_clip(tmp_path / "a.m4a", sound=sound)
    data = bytearray(path.read_bytes())
    start, n = len(data) // 3, len(data) // 20
    data[start : start + n] = np.random.default_rng(4).bytes(n)
    path.write_bytes(data)
    with pytest.warns(DeclaimWarning, match=r"damaged: \d+ packets"):
        speech = read_audio(path)
    assert abs(click_at(speech.samples.numpy()[16_000 * 3 :], 16_000) - 0.5) < 0.002


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.m4a", sound=tone(1, RATE))
    for name in ("a.wav", "a.mp3", "a.txt", "a.png", "a", "a.m3u8"):
        shutil.copy(whole, tmp_path / name)
        assert abs(read_audio(tmp_path / name).duration_s - 1) < 0.03


@pytest.mark.parametrize(
    "name",
    [
        "with space.wav",
        "Ünï cödé.wav",
        "речь 語音 كلام.wav",
        "a:b.wav",
        "http:x.wav",
        "-dash.wav",
        "%03d.wav",
        "'q'.wav",
    ],
)
def test_odd_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(np.full(1_600, 999, np.int16).tobytes())
    assert len(read_audio(path).samples) == 1_600
    assert len(read_audio(str(path)).samples) == 1_600


def test_reading_is_chunked(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.flac", sound=tone(10, RATE), audio_codec="flac")
    report = SoundReport()
    blocks = list(stream_sound(path, 16_000, report=report))
    assert sum(len(block) for block in blocks) == 160_000
    assert max(len(block) for block in blocks) < 16_000
    assert report.samples == 10 * RATE


def test_music_with_a_cover_is_sound_only(tmp_path: Path) -> None:
    """Cover art is no picture that could set the origin."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(numbered(3)).save(buffer, "PNG")
    path = tmp_path / "a.mp3"
    with av.open(str(path), "w") as out:
        sound = out.add_stream("libmp3lame", rate=44_100, layout="mono")
        cover = out.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(numbered(3), format="rgb24")))
        out.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(click(1.0, 0.5, 44_100), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    assert abs(click_at(read_audio(path).samples.numpy(), 16_000) - 0.5) < 0.002
