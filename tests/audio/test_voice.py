# ruff: noqa: RUF001 - phonetic letters look like others on purpose
"""The synthetic voice: letters, phonemes in time, and, where Kokoro is at hand, times that match the sound."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from declaim import assets
from declaim.audio import espeak
from declaim.audio.voice import LEAD_S, SAMPLE_RATE, UNIT, Kokoro, letters, timed, voices
from declaim.errors import AssetError, ConfigError

TEXT = "Pa pa. Happy papa bought a cup."


def _silent(seconds=10.0):
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


@pytest.fixture(scope="module")
def kokoro():
    pytest.importorskip("onnxruntime")
    try:
        assets.locate("kokoro")
        letters("a")
    except (AssetError, ConfigError) as error:
        pytest.skip(str(error))
    return Kokoro()


@pytest.fixture(scope="module")
def spoken(kokoro):
    return kokoro.say(TEXT)


def test_phonemes_are_back_to_back_from_zero_to_the_last_sample():
    spelt, units = ["", "h", "ə", "l", "ˈ", "O", " ", "b", "ˈ", "I", ".", ""], [10, 2, 2, 2, 1, 6, 2, 3, 1, 8, 4, 5]
    samples = _silent(sum(units) * UNIT / SAMPLE_RATE)
    found = timed(spelt, units, samples)
    assert [p.name for p in found] == ["SIL", "HH", "AH", "L", "OW", "SIL", "B", "AY", "SIL"]
    assert found[0].start_s == 0.0
    assert all(a.stop_s == b.start_s for a, b in pairwise(found))
    assert round(found[-1].stop_s * SAMPLE_RATE) == len(samples)
    assert found[1].start_s == pytest.approx(10 * UNIT / SAMPLE_RATE - LEAD_S)
    stressed = found[4]
    assert stressed.stop_s - stressed.start_s == pytest.approx((1 + 6) * UNIT / SAMPLE_RATE)


def test_gaps_between_words_are_silence_only_where_they_are_quiet():
    spelt, units = ["", "s", "i", " ", "m", "i", ""], [10, 2, 4, 2, 2, 4, 10]
    quiet = _silent(sum(units) * UNIT / SAMPLE_RATE)
    assert [p.name for p in timed(spelt, units, quiet)] == ["SIL", "S", "IY", "SIL", "M", "IY", "SIL"]
    loud = np.random.default_rng(0).standard_normal(len(quiet)).astype(np.float32)
    found = timed(spelt, units, loud)
    assert [p.name for p in found] == ["SIL", "S", "IY", "M", "IY", "SIL"]
    assert found[2].stop_s - found[2].start_s == pytest.approx((4 + 1) * UNIT / SAMPLE_RATE)
    assert found[3].stop_s - found[3].start_s == pytest.approx((1 + 2) * UNIT / SAMPLE_RATE)


def test_r_coloured_vowels_are_one_phoneme():
    units = [4] * 8
    found = timed(["", "b", "ɜ", "ɹ", "d", "ə", "ɹ", ""], units, _silent(8 * 4 * UNIT / SAMPLE_RATE))
    assert [p.name for p in found] == ["SIL", "B", "ER", "D", "ER", "SIL"]


def test_there_are_28_english_voices_and_no_other():
    assert len(voices()) == 28
    assert {name[:2] for name in voices()} == {"af", "am", "bf", "bm"}
    with pytest.raises(ConfigError, match="there is no voice 'zz_top'; there are: af_alloy"):
        Kokoro("zz_top")


def test_without_espeak_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(espeak, "_library", lambda: None)
    monkeypatch.setattr(espeak.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match=r"eSpeak NG is not installed; run: pip install 'declaim\[speech\]'"):
        letters("hello")


def test_library_and_program_agree(monkeypatch):
    pytest.importorskip("espeakng_loader")
    if espeak.shutil.which("espeak-ng") is None:
        pytest.skip("the program espeak-ng is not on this machine")
    by_library = [letters("The old bird, by the boat!", accent) for accent in ("en-us", "en-gb")]
    monkeypatch.setattr(espeak, "_library", lambda: None)
    assert [letters("The old bird, by the boat!", accent) for accent in ("en-us", "en-gb")] == by_library
    assert by_library[0] != by_library[1]
    assert "," in by_library[0]
    assert by_library[0].endswith("!")


def test_a_failing_program_is_no_silent_nonsense(monkeypatch):
    monkeypatch.setattr(espeak, "_library", lambda: None)
    monkeypatch.setattr(espeak.shutil, "which", lambda name: sys.executable)
    with pytest.raises((ConfigError, subprocess.CalledProcessError)):
        letters("hello")


def test_durations_add_up_to_the_sound_to_the_sample(spoken):
    assert round(spoken.phonemes[-1].stop_s * SAMPLE_RATE) == len(spoken.samples)
    assert len(spoken.samples) % UNIT == 0


def test_vowels_are_louder_than_the_closures_before_them(spoken):
    power = np.convolve(np.square(spoken.samples), np.ones(240) / 240, "same")

    def within(phoneme):
        return power[round(phoneme.start_s * SAMPLE_RATE) : round(phoneme.stop_s * SAMPLE_RATE)]

    pairs = [
        (within(after).max(), within(before).min())
        for before, after in pairwise(spoken.phonemes)
        if before.name == "P" and after.name != "SIL"
    ]
    assert len(pairs) >= 4
    assert sum(vowel > 10 * closure for vowel, closure in pairs) >= 0.8 * len(pairs)


def test_times_match_the_sound_better_than_shifted_ones(spoken):
    """How much of the level over time is explained by each phoneme's mean level: most where the times are right."""
    step = SAMPLE_RATE // 200
    level = np.log(np.square(spoken.samples[: len(spoken.samples) // step * step].reshape(-1, step)).mean(1) + 1e-7)
    times = (np.arange(len(level)) + 0.5) / 200

    def explained(shift_s):
        places = np.searchsorted([p.start_s + shift_s for p in spoken.phonemes], times, side="right") - 1
        names = np.array([spoken.phonemes[max(i, 0)].name for i in places])
        left = sum(level[names == n].var() * (names == n).sum() for n in set(names))
        return 1 - left / (level.var() * len(level))

    assert explained(0.0) > max(explained(-0.06), explained(0.06))


def test_speed_stretches_time(spoken, kokoro):
    slow = kokoro.say(TEXT, speed=0.8)
    assert 1.1 < len(slow.samples) / len(spoken.samples) < 1.4
