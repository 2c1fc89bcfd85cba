import struct

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder as Reference

from declaim.audio.ctranslate2 import read_model
from declaim.audio.mel import log_mel, mel_filters
from declaim.audio.threads import Threads
from declaim.audio.whisper import WhisperEncoder, load_encoder
from declaim.errors import CheckpointError


def reference_state(ours):
    """Our module's weights under transformers' names."""
    state = {"embed_positions.weight": ours.positions}
    for name in ("conv1", "conv2"):
        state |= {f"{name}.weight": getattr(ours, name).weight, f"{name}.bias": getattr(ours, name).bias}
    state |= {"layer_norm.weight": ours.norm.weight, "layer_norm.bias": ours.norm.bias}
    for i, layer in enumerate(ours.layers):
        q, k, v = layer.qkv.weight.chunk(3)
        bq, _, bv = layer.qkv.bias.chunk(3)
        parts = {
            "self_attn.q_proj.weight": q,
            "self_attn.k_proj.weight": k,
            "self_attn.v_proj.weight": v,
            "self_attn.q_proj.bias": bq,
            "self_attn.v_proj.bias": bv,
        }
        for theirs, module in (
            ("self_attn.out_proj", layer.out),
            ("fc1", layer.up),
            ("fc2", layer.down),
            ("self_attn_layer_norm", layer.attention_norm),
            ("final_layer_norm", layer.mlp_norm),
        ):
            parts |= {f"{theirs}.weight": module.weight, f"{theirs}.bias": module.bias}
        state |= {f"layers.{i}.{name}": value for name, value in parts.items()}
    return state


@pytest.mark.parametrize("wanted", [None, 30])
def test_two_threads_give_what_one_gives(wanted):
    torch.manual_seed(0)
    network, mel = WhisperEncoder(dim=64, heads=1, layers=2, mels=80, steps=50).eval(), torch.randn(1, 80, 100)
    with torch.inference_mode(), Threads(second=True) as threads:
        for one, two in zip(network(mel, 2, wanted), network(mel, 2, wanted, threads), strict=True):
            torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-5)


def test_encoder_equals_transformers():
    torch.manual_seed(0)
    ours = WhisperEncoder(dim=64, heads=1, layers=2, mels=80, steps=50).eval()
    ours.positions.normal_()
    for layer in ours.layers:
        layer.qkv.bias.data[64:128] = 0.0  # Whisper's keys have no bias
    config = WhisperConfig(
        d_model=64,
        encoder_attention_heads=1,
        encoder_layers=2,
        encoder_ffn_dim=256,
        num_mel_bins=80,
        max_source_positions=50,
        dropout=0.0,
    )
    theirs = Reference(config).eval()
    theirs.load_state_dict(reference_state(ours))
    mel = torch.randn(2, 80, 100)
    with torch.no_grad():
        expected = theirs(mel).last_hidden_state
        torch.testing.assert_close(ours(mel)[-1], expected, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(ours(mel, wanted=7)[-1], expected[:, :7], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("seconds", [30.0, 3.0])
def test_log_mel_equals_transformers(seconds):
    rng = np.random.default_rng(1)
    samples = np.zeros(30 * 16000, np.float32)
    n = int(seconds * 16000)
    samples[:n] = rng.standard_normal(n).astype(np.float32) * np.abs(np.sin(np.arange(n) / 3000)) * 0.1
    expected = WhisperFeatureExtractor(feature_size=80)(samples, sampling_rate=16000, return_tensors="pt")
    torch.testing.assert_close(log_mel(torch.from_numpy(samples)), expected.input_features[0], atol=2e-4, rtol=1e-4)


def test_filters_equal_librosa():
    import librosa

    expected = librosa.filters.mel(sr=16000, n_fft=400, n_mels=80)
    np.testing.assert_allclose(mel_filters().numpy().T, expected, atol=1e-6)


def write_model(path, tensors, version=6):
    def name(text):
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    with path.open("wb") as file:
        file.write(struct.pack("<I", version) + name("WhisperSpec") + struct.pack("<II", 3, len(tensors)))
        for key, value in tensors.items():
            code = {"float16": 4, "float32": 0, "int8": 1}[str(value.dtype)]
            file.write(name(key) + struct.pack("<B", value.ndim) + struct.pack(f"<{value.ndim}I", *value.shape))
            file.write(struct.pack("<BI", code, value.nbytes) + value.tobytes())
        file.write(struct.pack("<I", 0))


def test_ctranslate2_file_is_read(tmp_path):
    values = np.arange(6, dtype=np.float16).reshape(2, 3)
    tensors = {"encoder/a": values, "encoder/heads": np.int8(3).reshape(()), "decoder/b": values}
    write_model(tmp_path / "model.bin", tensors)
    read = read_model(tmp_path / "model.bin", prefix="encoder/")
    assert list(read) == ["encoder/a"]
    assert read["encoder/a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "model.bin"
    with pytest.raises(CheckpointError, match="cannot read"):
        read_model(path)
    write_model(path, {"encoder/a": np.zeros((4, 4), np.float32)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CheckpointError, match="truncated"):
        read_model(path)
    write_model(path, {"encoder/a": np.zeros((4, 4), np.float32)}, version=5)
    with pytest.raises(CheckpointError, match="format 5"):
        read_model(path)
    write_model(path, {"encoder/a": np.zeros((4, 4), np.float32)})
    with pytest.raises(CheckpointError, match="no Whisper"):
        load_encoder(path)
