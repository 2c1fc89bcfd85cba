import numpy as np
import pytest
import torch

from declaim.assets import state
from declaim.audio.encoders import WhisperTinyEncoder
from declaim.audio.whisper import WhisperEncoder
from declaim.data.manifest import read_manifest
from declaim.data.prepare import at_tempo, load_prepared, motion_at_tempo, prepare, save_clip
from declaim.data.sampling import BalancedSampler
from declaim.errors import ConfigError
from declaim.face.layouts import FACE64
from declaim.methods.fd2talk.measure import Material
from declaim.types import Motion, Speech

needs_tracker = pytest.mark.skipif(
    state("face-landmarker") != "complete", reason="not fetched: declaim assets pull face-landmarker"
)


def write_manifest(folder, rows, header="path,speaker,split"):
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")


def test_manifest_is_read_by_split(tmp_path):
    write_manifest(tmp_path, ["clips/a/1.mkv,a,train", "clips/b/1.mkv,b,eval", "clips/a/2.mkv,a,train"])
    clips = read_manifest(tmp_path)
    assert [c.name for c in clips] == ["a_1", "a_2"]
    assert clips[0].path == tmp_path / "clips/a/1.mkv"
    with pytest.raises(ConfigError, match="no clip"):
        read_manifest(tmp_path, ("silent",))
    with pytest.raises(ConfigError, match="no manifest"):
        read_manifest(tmp_path / "elsewhere")
    write_manifest(tmp_path, ["x,y"], header="path,split")
    with pytest.raises(ConfigError, match="speaker"):
        read_manifest(tmp_path)


def test_tempo_moves_pitch_and_length_together():
    time = torch.arange(16000) / 16000
    tone = Speech(torch.sin(2 * torch.pi * 200 * time) * 0.5, 16000)
    fast = at_tempo(tone, 1.25)
    assert len(fast.samples) == pytest.approx(12800, abs=2)
    spectrum = torch.fft.rfft(fast.samples).abs()
    assert float(spectrum.argmax()) * 16000 / len(fast.samples) == pytest.approx(250, abs=2)
    assert at_tempo(tone, 1.0).samples.shape == tone.samples.shape


def test_motion_keeps_time_with_its_sound():
    ramp = torch.arange(100.0)[:, None]
    fast = motion_at_tempo(ramp, 80, 1.25)
    torch.testing.assert_close(fast[:, 0], torch.arange(80.0) * 1.25)
    slow = motion_at_tempo(ramp, 111, 0.9)
    torch.testing.assert_close(slow[:-1, 0], (torch.arange(111.0) * 0.9)[:-1])
    assert float(slow[-1, 0]) == 99.0


def test_prepared_clips_round_trip(tmp_path):
    write_manifest(tmp_path, ["clips/a/1.mkv,a,train"])
    (clip,) = read_manifest(tmp_path)
    valid = torch.ones(50, dtype=torch.bool)
    valid[10] = False
    motion = Motion(torch.randn(50, 70), FACE64, valid=valid)
    save_clip(tmp_path / "a_1_1.00.npz", "a", torch.randn(52, 6), motion, 1.0)
    (loaded,) = load_prepared(tmp_path, [clip])
    assert len(loaded) == 50
    assert loaded.features.shape == (50, 6)
    assert torch.equal(loaded.motion, motion.values)
    assert torch.equal(loaded.valid, valid)
    assert load_prepared(tmp_path, [clip], 0.9) == []


@needs_tracker
def test_real_clip_is_prepared_once(footage, tmp_path):
    encoder = WhisperTinyEncoder()
    torch.manual_seed(0)
    encoder.network = WhisperEncoder().eval().requires_grad_(False)
    clip = next(c for c in read_manifest(footage, ("train",)) if c.speaker == "grid-s2")
    steps = []
    assert prepare([clip], tmp_path, encoder, (1.0, 1.12), lambda d, n: steps.append((d, n))) == []
    assert steps == [(1, 1)]
    files = sorted(tmp_path.glob("*.npz"))
    assert len(files) == 2
    stamps = [f.stat().st_mtime_ns for f in files]
    prepare([clip], tmp_path, encoder, (1.0, 1.12))
    assert [f.stat().st_mtime_ns for f in files] == stamps
    (usual,), (fast,) = load_prepared(tmp_path, [clip]), load_prepared(tmp_path, [clip], 1.12)
    assert len(usual) == 75
    assert len(fast) == pytest.approx(75 / 1.12, abs=1)
    assert usual.features.shape[1] == encoder.dim
    assert float(usual.motion[:, :64].std()) > 0.2


def test_clip_without_a_face_is_refused_by_name(footage, tmp_path):
    write_manifest(tmp_path, ["gone.mkv,a,train"])
    refused = prepare(read_manifest(tmp_path), tmp_path / "out", WhisperTinyEncoder())
    assert [c.name for c, _ in refused] == ["a_gone"]
    assert list((tmp_path / "out").iterdir()) == []


def example(speaker, frames):
    target = torch.randn(frames, 5)
    mask = torch.ones(frames, dtype=torch.bool)
    return Material(speaker, torch.randn(frames, 3), target, -target, mask, mask)


def test_batches_are_reproducible_and_padded():
    examples = [example("a", 30), example("b", 100)]
    first, second = (BalancedSampler(examples, 50, 8, seed=1) for _ in range(2))
    second.batch(0)
    x, y = first.batch(7), second.batch(7)
    assert torch.equal(x.target, y.target)
    assert x.target.shape == (8, 50, 5)
    short = ~x.mask[:, -1]
    assert bool(short.any())
    assert bool((x.target[short, 30:] == 0).all())
    assert not torch.equal(first.batch(8).target, x.target)


def test_speakers_are_balanced_and_half_is_mirrored():
    examples = [example("much", 3000) for _ in range(10)] + [example("little", 300)]
    sampler = BalancedSampler(examples, 50, 400, seed=0)
    batch = sampler.batch(0)
    little = examples[-1]
    own = (batch.features[:, None, 0] == little.features).all(-1).any(1)
    expected = 300**0.5 / (300**0.5 + 3000**0.5)
    assert float(own.float().mean()) == pytest.approx(expected, abs=0.07)
    rows = batch.target[own][:, :1]
    mirrored = np.mean([bool((row == little.mirrored).all(-1).any()) for row in rows])
    assert mirrored == pytest.approx(0.5, abs=0.15)
