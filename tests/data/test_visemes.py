"""Mouths from phonemes: weights, coarticulation, silence, closures, saved folders."""

import json

import pytest
import torch

from declaim.audio.phonemes import Phoneme, frame_spans
from declaim.data.synthetic.visemes import PHONEMES, Visemes, spans
from declaim.errors import CheckpointError
from declaim.face.model import FaceModel
from declaim.metrics.functional.lip import closures, mouth_opening
from declaim.pretrained import CONFIG_FILE


def _line(text, each_s=0.12):
    return tuple(Phoneme(name, "", i * each_s, (i + 1) * each_s) for i, name in enumerate(text.split()))


def _frames(phonemes):
    return round(phonemes[-1].stop_s * 25)


@pytest.fixture(scope="module")
def visemes():
    return Visemes.from_pretrained()


@pytest.fixture(scope="module")
def face():
    return FaceModel.from_pretrained()


def _opening(visemes, face, phonemes):
    return mouth_opening(face.points(visemes.mouth(phonemes, _frames(phonemes))))


def test_dominances_sum_to_one_and_peak_within_the_phoneme():
    line = _line("SIL AE T AA SIL", 0.2)
    shares = Visemes().dominance(*spans(line), _frames(line))
    assert torch.allclose(shares.sum(1), torch.ones(len(shares)))
    for i, phoneme in enumerate(line):
        middle = int((phoneme.start_s + phoneme.stop_s) / 2 * 25)
        assert int(shares[middle].argmax()) == i


def test_lips_close_on_p_b_and_m_between_any_vowels(visemes, face):
    vowels = ("AA", "AE", "AH", "AO", "AY", "EH", "EY", "IH", "IY", "OW")
    line = _line("SIL " + " ".join(f"{v} {c}" for v in vowels for c in ("B", "P", "M")) + " SIL")
    opening = _opening(visemes, face, line)
    closed = closures(opening, frame_spans(list(line), len(opening)))
    assert len(closed) == 3 * len(vowels)
    assert closed.float().mean() >= 0.9


def test_open_vowels_open_and_silence_rests(visemes, face):
    line = _line("SIL AE SIL IY SIL UW SIL", 0.4)
    opening = _opening(visemes, face, line)
    at = [float(opening[round((p.start_s + p.stop_s) / 2 * 25)]) for p in line]
    silent, (ae, _, uw) = at[::2], at[1::2]
    assert max(silent) < 0.25 * ae
    assert uw < 0.6 * ae


def test_neighbours_colour_a_mouth(visemes):
    def middle(text):
        line = _line(text, 0.08)
        return visemes.mouth(line, _frames(line))[_frames(line) // 2]

    assert (middle("SIL AE T AE SIL") - middle("SIL UW T UW SIL")).norm() > 0.1
    assert torch.equal(middle("SIL AE T AE SIL"), middle("SIL AE T AE SIL"))


def test_names_that_are_no_phoneme_are_silence(visemes):
    noise, silence = _line("SIL +NSN+ SIL"), _line("SIL SIL SIL")
    assert torch.equal(visemes.mouth(noise, 9), visemes.mouth(silence, 9))
    assert spans(noise)[0].tolist() == [0, 0, 0]


def test_saved_folder_comes_back_and_another_kind_is_refused(tmp_path, visemes):
    visemes.save_pretrained(tmp_path / "v", "card")
    again = Visemes.from_pretrained(tmp_path / "v")
    assert torch.equal(again.targets, visemes.targets)
    config = json.loads((tmp_path / "v" / CONFIG_FILE).read_text())
    assert config["phonemes"] == list(PHONEMES)
    (tmp_path / "v" / CONFIG_FILE).write_text(json.dumps({**config, "kind": "other"}))
    with pytest.raises(CheckpointError, match="expected a 'visemes'"):
        Visemes.from_pretrained(tmp_path / "v")
