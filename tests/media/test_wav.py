"""Sound beside a 3-D head: the source's own samples, rate and channels."""

import wave
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from declaim.errors import NoAudio
from declaim.media import read_audio, write_audio, write_video
from declaim.media.wav import copy_sound
from declaim.types import Frames, Speech


def test_it_holds_what_the_source_holds(tmp_path):
    samples = torch.linspace(-0.9, 0.9, 44_100)
    source = write_audio(tmp_path / "a.flac", Speech(samples, 44_100))
    copy_sound(source, tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (
            44_100,
            1,
            2,
            44_100,
        )
    assert (read_audio(tmp_path / "a.wav", 44_100).samples - samples).abs().max() < 2 / 32768


def test_stereo_stays_stereo(tmp_path):
    with av.open(str(tmp_path / "a.flac"), "w") as container:
        stream = container.add_stream("flac", rate=8000, layout="stereo", format="s16")
        values = np.stack([np.full(800, 8192), np.full(800, -8192)], 1).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(values, format="s16", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    copy_sound(tmp_path / "a.flac", tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getnchannels() == 2
        both = np.frombuffer(file.readframes(800), "<i2").reshape(-1, 2)
    np.testing.assert_allclose(both[100], [8192, -8192], atol=1)


def test_a_source_is_not_written_over_itself(tmp_path):
    write_audio(tmp_path / "a.flac", Speech(torch.zeros(1600), 16_000))
    (tmp_path / "a.flac").rename(tmp_path / "a.wav")  # the content decides what it is
    before = (tmp_path / "a.wav").read_bytes()
    copy_sound(tmp_path / "a.wav", tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes() == before


def test_a_video_without_sound_is_refused(tmp_path):
    write_video(tmp_path / "a.mp4", [Frames(np.zeros((2, 16, 16, 3), np.uint8))])
    with pytest.raises(NoAudio):
        copy_sound(tmp_path / "a.mp4", tmp_path / "a.wav")
    assert not (tmp_path / "a.wav").exists()
