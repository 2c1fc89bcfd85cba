import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForPreTraining, Wav2Vec2Model

from declaim.audio.pieces import PIECE
from declaim.audio.wav2vec2 import Wav2Vec2Encoder
from declaim.errors import AssetError, CheckpointError, ConfigError
from declaim.types import Speech


def config(width=768):
    """The base model with one layer and narrow convolutions: their strides, and the width, are the real ones."""
    return Wav2Vec2Config(
        hidden_size=width, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=16, codevector_dim=8, proj_codevector_dim=8,
        num_codevectors_per_group=4,
    )  # fmt: skip


def save(model, folder, do_normalize=True):
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=do_normalize).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Wav2Vec2ForPreTraining(config()).eval()


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """As the published model lies: with the heads of its training."""
    return save(network, tmp_path_factory.mktemp("wav2vec2"))


def babble(seconds, seed=0):
    noise = torch.randn(round(seconds * 16000), generator=torch.Generator().manual_seed(seed))
    return Speech((0.1 * noise + 0.05).clamp(-1, 1), 16000)


@pytest.mark.parametrize("do_normalize", [True, False])
def test_features_are_the_models_brought_to_25_fps(network, tmp_path, do_normalize):
    encoder = Wav2Vec2Encoder(save(network, tmp_path / "w", do_normalize))
    speech = babble(2.0)
    ready = Wav2Vec2FeatureExtractor(do_normalize=do_normalize)(
        speech.samples.numpy(), sampling_rate=16000, return_tensors="pt"
    ).input_values
    with torch.no_grad():
        steps = network.wav2vec2(torch.nn.functional.pad(ready, (40, 40))).last_hidden_state[0]
    rows = encoder.encode(speech)
    assert rows.shape == (50, 768)
    torch.testing.assert_close(rows, (steps[0::2] + steps[1::2]) / 2, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 640, 641, 40_000])
def test_one_row_per_frame_of_short_speech(folder, n_samples):
    speech = Speech(babble(3).samples[:n_samples], 16000)
    rows = Wav2Vec2Encoder(folder).encode(speech)
    assert rows.shape == (speech.n_frames, 768)
    assert bool(rows.isfinite().all())


def test_silence_has_features(folder):
    assert bool(Wav2Vec2Encoder(folder).encode(Speech(torch.zeros(16000), 16000)).isfinite().all())


def test_long_speech_comes_in_pieces(folder):
    long = babble(35.0)
    blocks = list(Wav2Vec2Encoder(folder).stream(long))
    assert sum(len(b) for b in blocks) == long.n_frames
    assert len(blocks) > 1
    assert max(len(b) for b in blocks) <= PIECE


def test_older_folders_are_read_too(network, folder, tmp_path):
    """As it is published: a pickled state, weight norm under its former names."""
    old = {}
    for name, values in network.state_dict().items():
        former = name.replace("parametrizations.weight.original0", "weight_g")
        old[former.replace("parametrizations.weight.original1", "weight_v")] = values
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    torch.save(old, tmp_path / "pytorch_model.bin")
    assert torch.equal(Wav2Vec2Encoder(tmp_path).encode(babble(1)), Wav2Vec2Encoder(folder).encode(babble(1)))


def test_absent_files_are_named_with_what_to_do(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path))
    with pytest.raises(AssetError, match=r"lacks config\.json.*hf download facebook/wav2vec2-base --local-dir"):
        Wav2Vec2Encoder().encode(babble(1))
    place = tmp_path / "assets" / "wav2vec2-base"
    place.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json"):
        (place / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(AssetError, match=r"lacks model\.safetensors or pytorch_model\.bin;"):
        Wav2Vec2Encoder().encode(babble(1))


def test_without_transformers_the_extra_is_named(folder, without_package):
    without_package("transformers")
    with pytest.raises(ConfigError, match=r"declaim\[wav2vec2\]"):
        Wav2Vec2Encoder(folder).encode(babble(1))


def test_other_models_and_damaged_files_are_refused(folder, tmp_path):
    narrow = save(Wav2Vec2Model(config(32)), tmp_path / "narrow")
    with pytest.raises(CheckpointError, match="32 wide, expected 768"):
        Wav2Vec2Encoder(narrow).encode(babble(1))
    (narrow / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"no whole wav2vec 2\.0 model"):
        Wav2Vec2Encoder(narrow).encode(babble(1))
    (narrow / "model.safetensors").unlink()
    (narrow / "pytorch_model.bin").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"no whole wav2vec 2\.0 model"):
        Wav2Vec2Encoder(narrow).encode(babble(1))
    (narrow / "preprocessor_config.json").write_text('{"do_normalize": true, "sampling_rate": 8000}')
    with pytest.raises(CheckpointError, match="at 8000 Hz, expected 16000 Hz"):
        _ = Wav2Vec2Encoder(narrow).normalised
