"""docs/data.md says what the code does: its ten lines read a corpus, every flag, field and threshold is in it."""

import re
from pathlib import Path

import pytest
from small_corpus import write_corpus

from declaim.data.converters import DATASETS
from declaim.data.corpus import CORPUS_VERSION, ClipRecord, Quality
from declaim.data.prepare import quality

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")
FLAGS = dict(re.findall(r"^\| `([a-z ]+)` \| (.+?) \| (?:yes|no) \|$", PAGE, re.MULTILINE))


def test_ten_lines_read_a_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_corpus(tmp_path / "corpus")
    monkeypatch.chdir(tmp_path)
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "import json" in block)
    assert len(code.strip().splitlines()) <= 11
    assert "declaim" not in code
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == [
        "ann_1 ann (40, 70)", "bob_0 bob (30, 70)", "bob_1 bob (40, 70)",
    ]  # fmt: skip


def test_every_field_is_described() -> None:
    named = set(re.findall(r"`([a-z0-9_]+)`", PAGE))
    assert set(ClipRecord.model_fields) <= named
    assert set(Quality.model_fields) <= named
    assert f"The format, version {CORPUS_VERSION}" in PAGE


def test_every_flag_is_described() -> None:
    source = Path(quality.__file__).read_text("utf-8")
    given = set(re.findall(r'^        "([a-z ]+)": ', source, re.MULTILINE)) - {"speech_share", "level_db"}
    assert set(FLAGS) == given
    out_of_use = set(re.findall(r"^\| `([a-z ]+)` \| .+ \| no \|$", PAGE, re.MULTILINE))
    assert out_of_use == quality.UNUSABLE


@pytest.mark.parametrize(
    ("flag", "threshold"),
    [
        ("small face", f"{quality.SMALL_FACE_PX} px"),
        ("turned head", f"more than {quality.TURNED_DEG:g}° in more than {quality.TURNED_SHARE:.0%}"),
        ("tracking gaps", f"more than {quality.MISSING_SHARE:.0%}"),
        ("tracking gaps", f"more than {quality.LONG_GAP} in a row"),
        ("face rarely seen", f"more than {quality.UNSEEN_SHARE:.0%}"),
        ("several faces", f"more than {quality.RIVAL_SHARE:.0%}"),
        ("no speech", f"less than {quality.QUIET_SHARE:.0%}"),
        ("music or noise", f"less than {quality.STEADY_DB:g} dB"),
        ("low frame rate", f"fewer than {quality.LEAST_FPS:g} pictures"),
        ("out of step", f"at least {quality.OUT_OF_STEP} frames"),
        ("out of step", f"at least {quality.SURE:g}"),
    ],
)
def test_thresholds_are_those_of_the_code(flag: str, threshold: str) -> None:
    assert threshold.replace("%", " %") in FLAGS[flag]


def test_every_dataset_is_described() -> None:
    for name in DATASETS:
        assert re.search(rf"^\| `{name}` \|", PAGE, re.MULTILINE)
