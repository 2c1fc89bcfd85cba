"""Recordings: the samples of `read_audio` in blocks, and no more of them in memory than a block."""

import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from declaim.audio.activity import speech_activity
from declaim.errors import DeclaimWarning, NoAudio, Unreadable
from declaim.media import read_audio, read_recording
from declaim.types import BLOCK_S

from .clips import write_clip


def noise(path: Path, seconds: float, level: float = 0.3, rate: int = 24_000) -> Path:
    samples = level * np.random.default_rng(0).standard_normal((1, round(seconds * rate)))
    return write_clip(path, sound=samples.astype(np.float32), rate=rate, audio_codec="pcm_f32le", layout="mono")


@pytest.mark.parametrize("seconds", [0.01, 30.0, 70.03])
def test_blocks_are_the_file(tmp_path: Path, seconds: float) -> None:
    path = noise(tmp_path / "a.wav", seconds)
    whole, heard = read_audio(path), []
    recording = read_recording(path, heard.append)
    blocks = list(recording.blocks())
    assert torch.equal(torch.cat(blocks), whole.samples) and torch.equal(recording.samples, whole.samples)
    assert torch.equal(torch.cat(heard).clamp(-1, 1), whole.samples)
    assert recording.n_frames == whole.n_frames and recording.duration_s == whole.duration_s
    assert {len(block) for block in blocks[:-1]} <= {BLOCK_S * 16_000}
    assert recording.peak == float(torch.cat(heard).abs().max())


def test_activity_and_blocks_of_both_kinds_agree(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 64.0)
    whole = read_audio(path)
    assert torch.equal(speech_activity(read_recording(path)), speech_activity(whole))
    assert torch.equal(torch.cat(list(whole.blocks())), whole.samples)


def test_no_block_is_kept(tmp_path: Path) -> None:
    recording = read_recording(noise(tmp_path / "a.wav", 150.0))
    alive, most = weakref.WeakSet(), 0
    for block in recording.blocks():
        alive.add(block.untyped_storage())
        most = max(most, len(alive))
    assert most <= 2


def test_loud_and_silent_files_are_as_read_audio_has_them(tmp_path: Path) -> None:
    loud, silent = noise(tmp_path / "loud.wav", 3.0, 100.0), noise(tmp_path / "silent.wav", 3.0, 0.0)
    for path, word in ((loud, "scaled down"), (silent, "silent")):
        with pytest.warns(DeclaimWarning, match=word):
            whole = read_audio(path)
        with pytest.warns(DeclaimWarning, match=word):
            recording = read_recording(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(torch.cat(list(recording.blocks())), whole.samples)


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        read_recording(tmp_path / "missing.wav")
    path = write_clip(
        tmp_path / "nan.wav", sound=np.full((1, 900), np.nan, np.float32), audio_codec="pcm_f32le", layout="mono"
    )
    with pytest.raises(NoAudio):
        read_recording(path)
