"""``declaim synthesize`` at the command line: mistakes are one sentence and leave nothing behind."""

import pytest
from typer.testing import CliRunner

from declaim.apps.cli.main import app
from declaim.audio import espeak
from declaim.errors import ConfigError


def _refused(*args):
    result = CliRunner().invoke(app, ["synthesize", *map(str, args)])
    assert isinstance(result.exception, ConfigError), result.output
    return str(result.exception)


def test_unknown_voice(tmp_path):
    said = _refused("-o", tmp_path / "c", "--voices", "af_bella,zz_top")
    assert said.startswith("--voices: there is no voice 'zz_top'; there are: af_alloy")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("minutes", ["0", "-3", "nan", "inf"])
def test_no_minutes(tmp_path, minutes):
    assert _refused("-o", tmp_path / "c", "--minutes", minutes).startswith("--minutes: ")
    assert not (tmp_path / "c").exists()


def test_unknown_encoder(tmp_path):
    assert "there is no encoder 'ears'" in _refused("-o", tmp_path / "c", "--encoder", "ears")


def test_espeak_is_missed_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(espeak, "_library", lambda: None)
    monkeypatch.setattr(espeak.shutil, "which", lambda name: None)
    espeak.phonemizer.cache_clear()
    assert "eSpeak NG is not installed; run: pip install" in _refused("-o", tmp_path / "c")
    assert not (tmp_path / "c").exists()
    espeak.phonemizer.cache_clear()


def test_help_gives_an_example():
    assert "declaim synthesize -o synthetic" in CliRunner().invoke(app, ["synthesize", "--help"]).output
