import csv
import json
from fractions import Fraction

import pytest
import torch

from declaim.errors import ConfigError, Unwritable
from declaim.export.arkit import LIVE_LINK_NAMES, timecode, write_arkit_json, write_live_link_csv
from declaim.face.layouts import ARKIT_NAMES, FACE64
from declaim.types import Motion


@pytest.fixture
def motion():
    generator = torch.Generator().manual_seed(0)
    values = 0.1 * torch.randn(30, 70, generator=generator)
    return Motion(values, FACE64, arkit=torch.rand(30, 52, generator=generator))


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_columns_follow_live_link_face(tmp_path, motion):
    write_live_link_csv(tmp_path / "a.csv", motion)
    header = (tmp_path / "a.csv").read_text().splitlines()[0].split(",")
    assert header[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert header[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert header[53:57] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll"]
    assert header[-1] == "RightEyeRoll"
    assert len(header) == 63
    assert sorted(n[0].lower() + n[1:] for n in LIVE_LINK_NAMES) == sorted(ARKIT_NAMES)


def test_csv_values_stand_in_their_columns(tmp_path, motion):
    write_live_link_csv(tmp_path / "a.csv", motion)
    table = rows(tmp_path / "a.csv")
    assert len(table) == 30
    for i, name in enumerate(ARKIT_NAMES):
        column = name[0].upper() + name[1:]
        assert float(table[7][column]) == pytest.approx(float(motion.arkit[7, i]), abs=1e-6)
    assert {row["BlendShapeCount"] for row in table} == {"61"}


def test_csv_angles(tmp_path):
    values = torch.zeros(3, 70)
    values[0, 65], values[1, 64], values[2, 66] = 0.3, 0.2, 0.1
    arkit = torch.zeros(3, 52)
    for name in ("eyeLookOutLeft", "eyeLookInRight", "eyeLookDownLeft", "eyeLookDownRight"):
        arkit[0, ARKIT_NAMES.index(name)] = 0.5
    write_live_link_csv(tmp_path / "a.csv", Motion(values, FACE64, arkit=arkit))
    table = rows(tmp_path / "a.csv")
    assert float(table[0]["HeadYaw"]) == pytest.approx(0.3)
    assert float(table[1]["HeadPitch"]) == pytest.approx(0.2)
    assert float(table[2]["HeadRoll"]) == pytest.approx(0.1)
    for side in ("Left", "Right"):  # both eyes look to the person's left and down
        assert float(table[0][f"{side}EyeYaw"]) == pytest.approx(0.2618, abs=1e-3)
        assert float(table[0][f"{side}EyePitch"]) == pytest.approx(0.2618, abs=1e-3)


@pytest.mark.parametrize(
    ("frame", "fps", "text"),
    [
        (0, Fraction(25), "00:00:00:00.000"),
        (26, Fraction(25), "00:00:01:01.000"),
        (25 * 3661 + 24, Fraction(25), "01:01:01:24.000"),
        (29, Fraction(30000, 1001), "00:00:00:29.000"),
        (30, Fraction(30000, 1001), "00:00:01:00.000"),
    ],
)
def test_timecode_counts_frames_within_the_second(frame, fps, text):
    assert timecode(frame, fps) == text


def test_json_holds_the_same(tmp_path, motion):
    write_arkit_json(tmp_path / "a.json", motion)
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["names"] == list(ARKIT_NAMES)
    assert content["fps"] == 25
    assert torch.allclose(torch.tensor(content["weights"]), motion.arkit, atol=1e-6)
    assert torch.allclose(torch.tensor(content["rotation"]), motion["rotation"], atol=1e-6)


@pytest.mark.parametrize("write", [write_live_link_csv, write_arkit_json])
def test_what_cannot_be_written_leaves_nothing(tmp_path, motion, write):
    with pytest.raises(Unwritable):
        write(tmp_path / "missing" / "a.csv", motion)
    with pytest.raises(ConfigError, match="no ARKit coefficients"):
        write(tmp_path / "a.csv", Motion(motion.values, FACE64))
    assert list(tmp_path.iterdir()) == []
