"""The motion benchmark, given methods whose scores are known: perfect replay, and one still face."""

import pytest
import torch
from benchmarks import footage as benchmark_footage
from benchmarks.motion import measure, plot
from benchmarks.motion_summary import speaker_table, summary
from benchmarks.report import Figure, figures_table

from declaim.assets import state
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.face.tracker import track_motion
from declaim.types import Motion

needs_tracker = pytest.mark.skipif(
    state("face-landmarker") != "complete", reason="not fetched: declaim assets pull face-landmarker"
)


@pytest.fixture(scope="module")
def two_clips(footage):
    """One clip each of two train speakers with their truth, shortened to keep the test quick."""
    wanted = benchmark_footage.clips(footage, "train", ["grid-s2", "grid-s3"], per_speaker=1)
    model = FaceModel.from_pretrained()
    return wanted, [(c.speech(), track_motion(c.track(), model)) for c in wanted]


@needs_tracker
@pytest.mark.footage
def test_replayed_truth_scores_perfectly_and_a_stranger_does_not(two_clips, tmp_path):
    wanted, truths = two_clips

    def replay(speech, seed):
        for known, motion in truths:
            if torch.equal(known.samples, speech.samples):
                return motion
        return Motion(torch.zeros(speech.n_frames, FACE64.dim), FACE64)

    rows, pairs = measure(wanted, replay, [0, 1])
    figures = {f.name: f for f in summary(rows)}
    assert figures["mouth correlation, by speaker"].value == pytest.approx(1.0, abs=1e-6)
    assert figures["mouth correlation, shuffled sound"].value < 0.6
    assert figures["amplitude ratio, mouth"].value == pytest.approx(1.0)
    assert figures["amplitude ratio, head rotation"].value == pytest.approx(1.0)
    assert figures["LVE, cm (mean person)"].value == 0
    assert figures["head diversity over takes, degrees"].value == 0
    assert figures["lips closed on p, b, m"].value >= 0.7
    assert "grid-s2" in speaker_table(rows)
    plot(tmp_path / "curves.png", pairs)
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@needs_tracker
@pytest.mark.footage
def test_a_still_face_fails_every_target(two_clips):
    wanted, _ = two_clips
    rows, _ = measure(wanted, lambda speech, seed: Motion(torch.zeros(speech.n_frames, FACE64.dim), FACE64), [0])
    figures = {f.name: f for f in summary(rows)}
    for name in ("mouth correlation, by speaker", "amplitude ratio, mouth", "amplitude ratio, head rotation",
                 "lips closed on p, b, m"):  # fmt: skip
        assert figures[name].met is False, name


def test_the_table_says_what_is_met():
    table = figures_table([Figure("a", 0.7, low=0.6), Figure("b", 2.0, high=1.0), Figure("c", 3.0, beside="truth 4")])
    lines = table.splitlines()
    assert [line.split("|")[3].strip() for line in lines[2:]] == [">= 0.6", "<= 1", ""]
    assert [line.split("|")[4].strip() for line in lines[2:]] == ["yes", "NO", ""]
