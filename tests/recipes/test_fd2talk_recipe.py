import csv

import pytest
import torch

from declaim.assets import state
from declaim.audio.encoders import WhisperTinyEncoder
from declaim.audio.whisper import WhisperEncoder
from declaim.methods.fd2talk import FD2Talk
from declaim.recipes import fd2talk as recipe

SPEAKERS = {"grid-s31": 3, "korean-f1": 2, "grid-s26": 1}


needs_tracker = pytest.mark.skipif(
    state("face-landmarker") != "complete", reason="not fetched: declaim assets pull face-landmarker"
)


class RandomWhisper(WhisperTinyEncoder):
    """The real encoder's code with a random network: the weights are not on every machine."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = WhisperEncoder().eval().requires_grad_(False)


@pytest.fixture
def little_footage(footage, tmp_path):
    with (footage / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = []
    for speaker, count in SPEAKERS.items():
        kept += [r for r in rows if r["speaker"] == speaker and r["split"] == "train"][:count]
    folder = tmp_path / "little footage"
    folder.mkdir()
    (folder / "clips").symlink_to(footage / "clips")
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(kept)
    return folder


@needs_tracker
def test_command_trains_saves_and_goes_on(little_footage, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(recipe, "WhisperTinyEncoder", RandomWhisper)
    monkeypatch.setattr(recipe, "SPEEDS", (1.0, 1.12))
    command = ["--footage", str(little_footage), "-o", str(tmp_path / "run"), "--tiny", "--steps", "3", "--hold-out"]
    assert recipe.main(command) == 0
    assert "mouth_correlation" in capsys.readouterr().out
    weights = tmp_path / "run" / "weights"
    method = FD2Talk.from_pretrained(weights)
    assert method.generate_from_features([torch.randn(40, 772)], 40).values.shape == (40, 70)
    card = (weights / "README.md").read_text()
    assert "2 speakers, 5 clips" in card
    stamp = (weights / "model.safetensors").read_bytes()
    assert recipe.main(command) == 0
    assert (weights / "model.safetensors").read_bytes() == stamp


def test_wrong_arguments_are_one_sentence(tmp_path, capsys):
    assert recipe.main(["--footage", str(tmp_path), "-o", str(tmp_path / "run")]) == 2
    assert "manifest.csv" in capsys.readouterr().err
    assert recipe.main(["--footage", str(tmp_path), "-o", str(tmp_path / "run"), "--steps", "0"]) == 2
