"""Style files: exact, and every wrong one refused in one sentence."""

from pathlib import Path

import pytest
import torch

from declaim.errors import CheckpointError
from declaim.motion.manner import Manner
from declaim.motion.style import Style
from declaim.pretrained import load_described, save_tensors

STYLE = Style(torch.linspace(-2, 2, 7), "0123abcd", "ünï clip.mp4", 12.34, Manner(0.4, 0.05, 2.5, 5.0, 9.5))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    STYLE.save(path)
    return path


def test_a_style_comes_back_exactly(saved: Path) -> None:
    back = Style.load(saved)
    assert torch.equal(back.code, STYLE.code)
    assert (back.encoder, back.source, back.seconds) == (STYLE.encoder, STYLE.source, STYLE.seconds)
    assert back.manner == STYLE.manner
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"kind": "other"}, "is no style file; make one with: declaim style extract"),
        ({"layout": "flame"}, "has layout flame, this declaim reads face64; extract it anew"),
        ({"format_version": "9"}, "has format version 9, this declaim reads 1; extract it anew"),
        ({"seconds": "long"}, "is damaged: could not convert"),
        ({"manner": "{}"}, "is damaged"),
    ],
)
def test_another_file_is_refused(saved: Path, changed: dict[str, str], sentence: str) -> None:
    tensors, about = load_described(saved)
    save_tensors(saved, tensors, about | changed)
    with pytest.raises(CheckpointError, match=sentence):
        Style.load(saved)


def test_weights_without_a_description_are_no_style(saved: Path) -> None:
    save_tensors(saved, {"code": STYLE.code})
    with pytest.raises(CheckpointError, match="is no style file"):
        Style.load(saved)


@pytest.mark.parametrize("code", [torch.full((7,), torch.nan), torch.zeros(2, 3)])
def test_a_code_of_no_use_is_refused(saved: Path, code: torch.Tensor) -> None:
    save_tensors(saved, {"code": code}, load_described(saved)[1])
    with pytest.raises(CheckpointError, match="damaged: its code is no row of finite numbers"):
        Style.load(saved)


@pytest.mark.parametrize("keep", [0, 5, 100])
def test_a_cut_off_file_is_refused(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="is no style file, or is damaged"):
        Style.load(saved)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no style file"):
        Style.load(tmp_path / "none.safetensors")


def test_a_style_belongs_to_one_encoder() -> None:
    STYLE.check_encoder("0123abcd")
    with pytest.raises(CheckpointError, match=r"another style encoder .*extract it anew with: declaim style extract"):
        STYLE.check_encoder("ffff")
