"""Forced alignment: file names spelt out, spans in frames, and real lips that close where it says."""

import csv
import re
from itertools import pairwise

import numpy as np
import pytest
import torch

from declaim.audio.phonemes import Phoneme, align, frame_spans, grid_words
from declaim.errors import ConfigError
from declaim.media import read_audio
from declaim.timebase import SAMPLE_RATE
from declaim.types import Speech


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DataSet-Trial/bbab8n.mpg", "bin blue at b eight now"),
        ("files/1600ms/f1_s34_lbwh5n/video.mpg", "lay blue with h five now"),
        ("demo/s33/pgiazp.mpg", "place green in a zero please"),
        ("SWWX1S.MPG", "set white with x one soon"),
        ("lrbq9a", "lay red by q nine again"),
    ],
)
def test_grid_names_spell_their_sentence(name, words):
    assert grid_words(name) == words.split()


@pytest.mark.parametrize("name", ["Refenrece_audio/Grid_S32.mp4", "bbaw1n.mpg", "bbab0n", "xbbab8n", "", "placed"])
def test_other_names_spell_nothing(name):
    assert grid_words(name) is None


def test_spans_are_the_frames_that_overlap_the_phoneme():
    spoken = [
        Phoneme("SIL", "<sil>", 0.0, 0.40),
        Phoneme("B", "bin", 0.40, 0.48),
        Phoneme("IH", "bin", 0.48, 0.55),
        Phoneme("P", "place", 0.55, 0.57),
        Phoneme("M", "m", 0.95, 1.10),
        Phoneme("B", "b", 1.20, 1.30),
    ]
    assert frame_spans(spoken, 25) == [(10, 12), (13, 15), (23, 25)]
    assert frame_spans(spoken, 100, names=("SIL",)) == [(0, 10)]


def test_missing_package_is_one_clear_sentence(without_package):
    without_package("pocketsphinx")
    with pytest.raises(ConfigError, match="pocketsphinx is not installed"):
        align(Speech(torch.zeros(SAMPLE_RATE), SAMPLE_RATE), ["bin"])


def test_sound_without_the_words_is_refused():
    pytest.importorskip("pocketsphinx")
    with pytest.raises(ConfigError, match="cannot be aligned"):
        align(Speech(torch.zeros(SAMPLE_RATE // 20), SAMPLE_RATE), ["place", "blue", "at", "m", "nine", "please"])


@pytest.mark.footage
def test_alignment_is_in_order_and_follows_a_shift_of_the_sound(footage):
    pytest.importorskip("pocketsphinx")
    with (footage / "manifest.csv").open() as lines:
        row = next(r for r in csv.DictReader(lines) if re.search(r"grid-s2/", r["path"]) and grid_words(r["source"]))
    speech, words = read_audio(footage / row["path"]), grid_words(row["source"])
    spoken = align(speech, words)
    assert all(a.stop_s <= b.start_s + 1e-9 for a, b in pairwise(spoken))
    assert list(dict.fromkeys(p.word for p in spoken if p.name != "SIL")) == words
    later = align(Speech(torch.nn.functional.pad(speech.samples, (SAMPLE_RATE // 5, 0)), SAMPLE_RATE), words)
    starts = [np.array([p.start_s for p in found if p.name != "SIL"]) for found in (spoken, later)]
    assert np.abs(starts[1] - starts[0] - 0.2).mean() < 0.03
