"""Sound out: what was written comes back, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
import torch

from declaim.errors import NoAudio, Unwritable
from declaim.media import read_audio, write_audio
from declaim.types import Speech


def on_the_grid(n: int) -> Speech:
    """Samples that 16 bits hold exactly."""
    generator = torch.Generator().manual_seed(n)
    return Speech(torch.randint(-32768, 32768, (n,), generator=generator).float() / 32768, 16_000)


@pytest.mark.parametrize("n", [1, 640, 4096, 4097, 50_001])
def test_sixteen_bits_come_back_exactly(tmp_path: Path, n: int) -> None:
    speech = on_the_grid(n)
    back = read_audio(write_audio(tmp_path / "ä b.flac", speech))
    assert back.sample_rate == 16_000
    assert torch.equal(back.samples, speech.samples)


def test_another_reader_agrees(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    speech = on_the_grid(10_000)
    samples, rate = soundfile.read(write_audio(tmp_path / "a.flac", speech), dtype="float32")
    assert rate == 16_000
    assert np.array_equal(samples, speech.samples.numpy())


def test_any_sample_comes_back_to_half_a_step(tmp_path: Path) -> None:
    loud = Speech(torch.linspace(-1, 1, 9999), 22_050)
    back = read_audio(write_audio(tmp_path / "a.flac", loud), 22_050)
    steps = (back.samples - loud.samples).abs() * 32768
    assert float(steps[:-1].max()) <= 0.51
    assert float(steps[-1]) <= 1.0  # full scale does not exist on the positive side


def test_the_same_sound_gives_the_same_bytes(tmp_path: Path) -> None:
    a, b = (write_audio(tmp_path / name, on_the_grid(20_000)) for name in ("a.flac", "b.flac"))
    assert a.read_bytes() == b.read_bytes()


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match=r"\.flac"):
        write_audio(tmp_path / "a.wav", on_the_grid(10))
    with pytest.raises(NoAudio):
        write_audio(tmp_path / "a.flac", Speech(torch.zeros(0), 16_000))
    with pytest.raises(NoAudio):
        write_audio(tmp_path / "a.flac", Speech(torch.full((5,), float("nan")), 16_000))
    with pytest.raises(Unwritable):
        write_audio(tmp_path / "no" / "a.flac", on_the_grid(10))
    assert list(tmp_path.iterdir()) == []
