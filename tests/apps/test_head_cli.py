"""The head through the command line: glTF with its sound, a video of it, FLAME out and in."""

import json

import numpy as np
import pytest
import torch
from small import RATE, random_method, refused, voice, works, written

from declaim.apps.cli import generate
from declaim.apps.cli.preflight import MOTION_SUFFIXES
from declaim.errors import CheckpointError, ConfigError, Unreadable
from declaim.export import motion as export_motion
from declaim.export.flame import read_flame
from declaim.face.motion_file import read_motion
from declaim.media import probe, read_audio, write_audio
from declaim.methods.fd2talk import FD2Talk, tiny
from declaim.registry import ENCODERS
from declaim.types import Speech


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(ENCODERS, "loudness", "small:Loudness")
    monkeypatch.setattr(generate, "ensure_assets", lambda *names, quiet: None)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    random_method(FD2Talk, tiny()).save_pretrained(folder)
    return folder


@pytest.fixture
def sound(tmp_path):
    return write_audio(tmp_path / "voice.flac", Speech(voice(0.3), RATE))


def test_a_gltf_head_has_its_sound_beside_it(tmp_path, weights, sound):
    works("motion", sound, "-o", tmp_path / "head.glb", "--weights", weights)
    assert written(tmp_path) == ["head-speech.wav", "head.glb", "voice.flac"]
    data = (tmp_path / "head.glb").read_bytes()
    root = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert root["asset"]["extras"]["sound"] == "head-speech.wav"
    times = root["accessors"][root["animations"][0]["samplers"][0]["input"]]
    assert times["count"] == 8
    assert (read_audio(tmp_path / "head-speech.wav").samples - read_audio(sound).samples).abs().max() < 1e-4


def test_takes_have_a_head_each(tmp_path, weights, sound):
    works("motion", sound, "-o", tmp_path / "head.glb", "--takes", 2, "--weights", weights)
    assert written(tmp_path) == [
        "head-1-speech.wav", "head-1.glb", "head-2-speech.wav", "head-2.glb", "head-poses.svg", "voice.flac",
    ]  # fmt: skip


def test_a_video_shows_the_head(tmp_path, weights, sound):
    works("motion", sound, "-o", tmp_path / "head.mp4", "--weights", weights)
    info = probe(tmp_path / "head.mp4")
    assert (info.width, info.height, float(info.fps)) == (512, 512, 25.0)
    assert info.duration_s == pytest.approx(8 / 25, abs=0.01)
    assert read_audio(tmp_path / "head.mp4").samples.abs().max() > 0.05


def test_endings_that_nobody_knows_are_refused(tmp_path, weights, sound):
    assert "must end in .npz or .csv or .json or .glb or .mp4 or .mov or .mkv" in refused(
        ConfigError, "motion", sound, "-o", tmp_path / "head.fbx", "--weights", weights
    )
    assert MOTION_SUFFIXES == export_motion.MOTION_SUFFIXES


def test_flame_out_and_in(tmp_path, weights, sound):
    works("motion", sound, "-o", tmp_path / "m.npz", "--weights", weights)
    works("flame", "export", tmp_path / "m.npz", "-o", tmp_path / "flame.npz")
    assert len(read_flame(tmp_path / "flame.npz").jaw_pose) == 8
    works("flame", "import", tmp_path / "flame.npz", "-o", tmp_path / "back.npz")
    there, back = (read_motion(tmp_path / name) for name in ("m.npz", "back.npz"))
    torch.testing.assert_close(back["rotation"], there["rotation"], atol=1e-5, rtol=0)
    torch.testing.assert_close(back["translation"], there["translation"], atol=1e-4, rtol=0)


def test_files_that_are_not_flame_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", nothing=np.zeros(3))
    assert "holds no FLAME coefficients" in refused(CheckpointError, "flame", "import", tmp_path / "other.npz")
    assert "no motion file of declaim" in refused(CheckpointError, "flame", "export", tmp_path / "other.npz")
    assert "does not exist" in refused(Unreadable, "flame", "import", tmp_path / "none.npz")
