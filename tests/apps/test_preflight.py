import json

import pytest

from declaim.apps.cli.preflight import ensure_encoder, speech_encoder
from declaim.errors import AssetError, ConfigError


@pytest.mark.parametrize("encoder", ["whisper-base", "whisper-tiny.en"])
def test_weights_say_which_encoder_they_need(tmp_path, encoder):
    (tmp_path / "config.json").write_text(json.dumps({"config": {"encoder": encoder}}))
    assert speech_encoder("fd2talk", tmp_path) == encoder


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"config": 3}'])
def test_unreadable_weights_are_left_to_the_method(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert speech_encoder("fd2talk", tmp_path) == "whisper-tiny.en"
    assert speech_encoder("fd2talk", tmp_path / "nowhere") == "whisper-tiny.en"
    assert speech_encoder("no-such-method", None) == "whisper-tiny.en"


def test_shipped_weights_name_an_encoder():
    from declaim.registry import ENCODERS

    assert speech_encoder("fd2talk", None) in ENCODERS


def test_an_encoder_that_cannot_be_fetched_says_what_to_do_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path))
    with pytest.raises(AssetError, match="hf download facebook/wav2vec2-base"):
        ensure_encoder("wav2vec2-base")
    with pytest.raises(ConfigError, match="there is no encoder 'hubert'"):
        ensure_encoder("hubert")
    monkeypatch.setenv("DECLAIM_OFFLINE", "1")
    with pytest.raises(AssetError, match=r"declaim assets pull whisper-tiny\.en"):
        ensure_encoder("whisper-tiny.en")
