"""Tables made from reports; the README's equals what the committed report gives."""

import json
from pathlib import Path

import pytest
from benchmarks.readme_table import KEPT, main, results_page

from declaim.errors import ConfigError
from declaim.evaluation.figures import Record, figure, interval
from declaim.evaluation.markdown import BEGIN, END, _definition, best, readme_table, with_table
from declaim.evaluation.measures import Measure, measures
from declaim.metrics.averages import interval as plain_interval

ROOT = Path(__file__).parents[2]


def record(speaker, seed=0, clip="a", **scores):
    return Record("m", f"{speaker}{clip}", speaker, "en", seed, scores)


def test_every_speaker_has_one_vote_and_seeds_are_told_apart():
    rows = [record("p", 0, r=1.0), record("p", 0, "b", r=0.0), record("q", 0, r=0.2), record("q", 1, r=0.4)]
    found = figure(Measure("r", "r", "lips", "", "high"), rows)
    assert found.value == pytest.approx((0.5 + 0.3) / 2)
    assert found.by_speaker == pytest.approx({"p": 0.5, "q": 0.3}) and found.clips == 3
    assert found.seeds == pytest.approx((0.35, 0.4))


def test_ratios_and_pooled_counts():
    ratio = Measure("a", "a", "amplitude", "", "one", "sd", "true_sd")
    assert figure(ratio, [record("p", sd=1.0, true_sd=2.0), record("q", sd=3.0, true_sd=2.0)]).value == 1.0
    pooled = Measure("b", "b", "movement", "", "people", "blinks", "minutes", pooled=True)
    rows = [record("p", blinks=3.0, minutes=0.1), record("q", blinks=0.0, minutes=0.2), record("r", blinks=None)]
    found = figure(pooled, rows)
    assert found.value == pytest.approx(10.0) and found.speakers == 2


def test_the_interval_of_a_mean_is_that_of_averages():
    import numpy as np

    values = np.array([0.1, 0.9, 0.4, 0.7, 0.2])
    assert interval(values, np.ones(5)) == pytest.approx(plain_interval(values))
    assert interval(values[:1], np.ones(1)) == (None, None)


@pytest.mark.parametrize(
    ("better", "wanted"), [("high", {"c"}), ("low", {"a"}), ("one", {"b"}), ("people", {"b"}), ("none", set())]
)
def test_the_best_row(better, wanted):
    rows = [{"key": k, "figures": {"m": {"value": v}}} for k, v in (("a", 0.1), ("b", 1.2), ("c", 3.0))]
    assert best({"key": "m", "better": better}, rows, {"figures": {"m": {"value": 1.0}}}) == wanted


def test_every_network_behind_a_number_is_named():
    named = {m.key: m.network for m in measures(pictures=True)}
    assert named["lse_d"] and named["re_fid"] == named["re_perceptual"] == "VGG16-HED"
    assert named["gen_csim"] == "MobileFaceNet" and not named["mouth_correlation"]
    assert len({m.key for m in measures(pictures=True)}) == len(measures(pictures=True))
    assert all(m.definition.endswith(".") for m in measures(pictures=True))


def made_up_report(methods):
    """Rows with one figure each: the methods' 0.1, 0.2, ..., others 0."""
    names = [("people", "people"), ("mean-face", "floor"), ("held-still", "floor"), ("m0-other-speech", "floor")]
    names += [(f"m{i}", "method") for i in range(methods)]
    values = [0.0] * 4 + [0.1 * (i + 1) for i in range(methods)]
    rows = [{"key": key, "title": key, "kind": kind, "figures": {"r": {"value": v, "low": v - 0.05, "high": v + 0.05}}}
            for (key, kind), v in zip(names, values, strict=True)]  # fmt: skip
    about = {"clips": 2, "speakers": 1, "seeds": [0], "version": 3, "fingerprint": "f"}
    measure = {"key": "r", "title": "r", "better": "high", "digits": 2, "group": "lips", "main": True}
    return {"rows": rows, "measures": [measure], "protocol": about}


def test_the_readme_shows_intervals_of_few_methods_and_the_best_of_many():
    few, many = (readme_table(made_up_report(n)) for n in (2, 4))
    assert "| **0.10** (0.05 to 0.15) | **0.20** (0.15 to 0.25) | 0.00" in few and "held-still" in few
    assert "| 0.10 | 0.20 | 0.30 | **0.40** | 0.00 " in many and "held-still" not in many
    for shown in (few, many):
        assert "| mean-face " in shown and shown.splitlines()[0].rstrip(" |").endswith("people")


def test_targets_are_told_in_the_definitions():
    measure = {"title": "r", "group": "lips", "definition": "Such.", "high_of_mean_face": 0.8, "low_of_people": 0.85}
    assert _definition(measure).endswith("at least 0.85 of people's and at most 0.8 of the mean face's.")


def test_a_readme_without_markers_is_refused():
    with pytest.raises(ConfigError, match="has no lines"):
        with_table("# x\n", {"rows": [], "measures": []})


def test_readme_and_results_page_are_those_of_the_committed_report():
    if not (ROOT / KEPT).is_file():
        pytest.skip(f"{KEPT} has not been made yet")
    report = json.loads((ROOT / KEPT).read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(readme, report) == readme, "run: python -m benchmarks.readme_table"
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == results_page(report)


def test_the_command_is_idempotent(tmp_path):
    if not (ROOT / KEPT).is_file():
        pytest.skip(f"{KEPT} has not been made yet")
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert main([str(ROOT / KEPT), "--root", str(tmp_path)]) == 0
    first = (tmp_path / "README.md").read_text()
    assert first.startswith("before\n") and first.endswith("after\n") and "\nold\n" not in first
    assert main(["--root", str(tmp_path), str(tmp_path / KEPT)]) == 0
    assert (tmp_path / "README.md").read_text() == first
