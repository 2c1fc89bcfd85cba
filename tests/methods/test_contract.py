"""What every registered method keeps, with its ``tiny()`` settings."""

import json
from importlib import import_module

import pytest
import torch

from declaim.audio.encoders import WhisperTinyEncoder
from declaim.audio.whisper import WhisperEncoder
from declaim.errors import CheckpointError, ConfigError, NoAudio
from declaim.face.layouts import FACE64
from declaim.registry import METHODS, resolve
from declaim.types import Speech


@pytest.fixture(scope="module")
def encoder():
    """The real encoder's code with a random network: the weights are not on every machine."""
    torch.manual_seed(0)
    encoder = WhisperTinyEncoder()
    encoder.network = WhisperEncoder().eval().requires_grad_(False)
    return encoder


@pytest.fixture(params=sorted(METHODS))
def method(request, encoder):
    kind = resolve(METHODS, request.param, kind="method")
    torch.manual_seed(1)
    made = kind(import_module(kind.__module__.rpartition(".")[0]).tiny())
    made._encoder = encoder
    return made.eval()


def features(frames, seed=0):
    return torch.randn(frames, WhisperTinyEncoder.dim, generator=torch.Generator().manual_seed(seed))


def speech(seconds, seed=0):
    n = round(seconds * 16000)
    return Speech(0.1 * torch.randn(n, generator=torch.Generator().manual_seed(seed)), 16000)


def test_motion_losses_and_saved_folders(method, tmp_path):
    motion = method.generate(speech(1.3), seed=3)
    assert motion.layout == FACE64
    assert len(motion) == speech(1.3).n_frames
    assert motion.values.dtype == torch.float32
    assert bool(motion.values.isfinite().all())
    losses = method.loss(features(20)[None], torch.randn(1, 20, FACE64.dim), torch.ones(1, 20, dtype=torch.bool))
    assert losses["total"].requires_grad
    method.save_pretrained(tmp_path / "w", card="# card\n")
    again = type(method).from_pretrained(tmp_path / "w")
    again._encoder = method.encoder
    again.save_pretrained(tmp_path / "w2")
    assert (tmp_path / "w" / "model.safetensors").read_bytes() == (tmp_path / "w2" / "model.safetensors").read_bytes()
    torch.testing.assert_close(again.generate(speech(1.3), seed=3).values, motion.values, atol=0.02, rtol=0.02)


def test_same_seed_same_bits_however_the_features_come(method):
    whole = features(120)
    once = method.generate_from_features([whole], 120, seed=5).values
    for size in (1, 7, 40):
        cut = method.generate_from_features(list(whole.split(size)), 120, seed=5).values
        assert torch.equal(cut, once)
    assert not torch.allclose(method.generate_from_features([whole], 120, seed=6).values, once, atol=1e-2)


def test_more_frames_leave_earlier_windows_alone(method):
    short = method.generate_from_features([features(200)[:100]], 100, seed=1, blink_scale=0.0).values
    long = method.generate_from_features([features(200)], 200, seed=1, blink_scale=0.0).values
    safe = 100 - method.config.frames
    assert torch.equal(short[:safe], long[:safe])


def test_amplitudes_scale_their_own_part(method):
    base = method.generate_from_features([features(60)], 60)
    still = method.generate_from_features([features(60)], 60, pose_scale=0.0)
    assert still["rotation"].abs().max() == 0
    assert still["translation"].abs().max() == 0
    assert torch.equal(still["expression"], base["expression"])
    double = method.generate_from_features([features(60)], 60, pose_scale=2.0, expression_scale=0.0, blink_scale=0.0)
    torch.testing.assert_close(double["rotation"], 2 * base["rotation"])
    assert double["expression"].abs().max() == 0
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match="pose_scale"):
            method.generate_from_features([features(60)], 60, pose_scale=wrong)
    with pytest.raises(ConfigError, match="sampling steps"):
        method.generate_from_features([features(60)], 60, steps=10_000)


@pytest.mark.parametrize("n_samples", [1, 800, 16_001])
def test_short_speech_works(method, n_samples):
    motion = method.generate(Speech(torch.full((n_samples,), 0.1), 16000))
    assert len(motion) == Speech(torch.zeros(n_samples), 16000).n_frames


def test_bad_speech_is_refused(method):
    with pytest.raises(NoAudio, match="empty"):
        method.generate(Speech(torch.zeros(0), 16000))
    with pytest.raises(NoAudio, match="not numbers"):
        method.generate(Speech(torch.full((1000,), torch.nan), 16000))


def test_progress_counts_frames(method):
    seen = []
    method.generate(speech(2.0), on_step=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (50, 50)
    assert [d for d, _ in seen] == sorted({d for d, _ in seen})


def test_damaged_folders_are_refused(method, tmp_path):
    folder = tmp_path / "w"
    method.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "config": {**config["config"], "surprise": 1}}))
    with pytest.raises(CheckpointError, match="settings"):
        type(method).from_pretrained(folder)
    other = {**config, "config": {**config["config"], "frames": 21}}
    (folder / "config.json").write_text(json.dumps(other))
    assert type(method).from_pretrained(folder).config.frames == 21
    (folder / "config.json").write_text(json.dumps({**config, "method": "other"}))
    with pytest.raises(CheckpointError, match="other"):
        type(method).from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"1234")
    with pytest.raises(CheckpointError):
        type(method).from_pretrained(folder)
    with pytest.raises(CheckpointError):
        type(method).from_pretrained(tmp_path / "nowhere")
