"""What happens before anything is tracked: files, labels, cuts, and which sightings are of one person."""

from pathlib import Path

import numpy as np
import pytest
from talking_scenes import person, scene, swaying

from declaim.data.prepare import PrepareOptions, find_sources
from declaim.data.prepare.shots import ShotDetector
from declaim.data.prepare.sightings import followed
from declaim.data.prepare.sources import hashed_split
from declaim.data.prepare.survey import _pieces, _square
from declaim.errors import ConfigError

OPTIONS = PrepareOptions()


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_files_are_found_by_name_and_clips_named_after_them(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.mp4", "b/1.MKV", "Ünï cödé (1).mov", "a.wav", "notes.txt", ".hidden.mp4", "corpus/x.mp4")
    sources, refused = find_sources(tmp_path, None, OPTIONS, without=tmp_path / "corpus")
    assert [(s.name, s.base, s.speaker) for s in sources] == [
        ("a.wav", "a", "a"),
        ("b/1.MKV", "b_1", "b"),
        ("b/2.mp4", "b_2", "b"),
        ("Ünï cödé (1).mov", "Ünï_cödé_1", "Ünï cödé (1)"),
    ]
    assert refused == []


def test_names_that_would_be_alike_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "x/1.mp4", "x_1.mp4", "X 1.mkv", "y--1.mp4", f"{'long' * 60}.mp4")
    bases = [s.base for s in find_sources(tmp_path, None, OPTIONS)[0]]
    assert len({base.lower() for base in bases}) == 5
    assert all("--" not in base and len(base.encode()) <= 100 for base in bases)


def test_a_speaker_is_in_one_split(tmp_path: Path) -> None:
    names = [f"speaker {i}" for i in range(400)]
    splits = [hashed_split(name, 0.1) for name in names]
    assert set(splits) == {"train", "eval"}
    assert 0.05 < splits.count("eval") / 400 < 0.15
    assert hashed_split("anybody", 0.0) == "train"
    assert hashed_split("anybody", 1.0) == "eval"


def test_labels_say_who_speaks(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.mp4", "in/b.mp4", "in/c.mp4")
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "path,speaker,split,language,footage,source\nin/a.mp4,ann,eval,de,CC BY 4.0,a corpus\nin/b.mp4,bob,,,,\n"
        "in/gone.mp4,cid,,,,\n"
    )
    (a, b), refused = find_sources(tmp_path / "in", labels, PrepareOptions(eval_share=0.0))
    assert (a.speaker, a.split, a.language, a.licence, a.origin) == ("ann", "eval", "de", "CC BY 4.0", "a corpus")
    assert (b.speaker, b.split, b.language, b.licence, b.origin) == ("bob", "train", None, None, "")
    assert [(r.source, r.reason) for r in refused] == [
        ("c.mp4", "the labels do not list it"),
        ("gone.mp4", "there is no such file"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,speaker,split\nin/a.mp4,ann,train\nin/b.mp4,ann,eval\n", "eval and train"),
        ("path,who\nin/a.mp4,ann\n", "path and speaker"),
        ("path,speaker\n", "lists nothing"),
    ],
)
def test_wrong_labels_are_refused(tmp_path: Path, text: str, words: str) -> None:
    touch(tmp_path, "in/a.mp4", "in/b.mp4")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ConfigError, match=words):
        find_sources(tmp_path / "in", tmp_path / "labels.csv", OPTIONS)


def test_folders_without_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no video"):
        find_sources(touch(tmp_path, "notes.txt"), None, OPTIONS)
    with pytest.raises(ConfigError, match="no folder"):
        find_sources(tmp_path / "gone", None, OPTIONS)


def test_tempos_are_for_the_first_files_of_training_speakers(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "a/2.mp4", "a/3.mp4", "b/1.mp4")
    sources, _ = find_sources(tmp_path, None, PrepareOptions(tempo_clips=2, eval_share=0.0))
    assert [s.other_tempos for s in sources] == [True, True, False, True]
    sources, _ = find_sources(tmp_path, None, PrepareOptions(eval_share=1.0))
    assert not any(s.other_tempos for s in sources)


def test_options_are_checked_and_ordered() -> None:
    assert PrepareOptions(tempos=(1.12, 0.9)).tempos == (0.9, 1.0, 1.12)
    with pytest.raises(ValueError, match="tempos"):
        PrepareOptions(tempos=(3.0,))


def test_cuts_are_found_and_movement_is_none() -> None:
    shots = ShotDetector()
    images = [scene(25, [(person(i % 2 == 1), swaying())], backdrop=60 + 50 * i).images for i in range(3)]
    for image in np.concatenate(images):
        shots.see(image)
    assert shots.cuts == [25, 50]


Box = tuple[float, float, float, float]


def face(x: float, size: float = 100.0) -> Box:
    return float(x), 50.0, float(x + size), 50.0 + size


def test_faces_that_cross_become_new_faces() -> None:
    everything = followed([(f, sorted({face(4.0 * f), face(600 - 4.0 * f)})) for f in range(0, 150, 5)])
    seen = [s for s in everything if len(s.frames) > 1]  # in the middle one hides the other
    assert [s.sure_end for s in seen] == [False, False, True, True]
    for s in seen:
        steps = np.diff([box[0] for box in s.boxes])
        assert len(steps) > 5
        assert np.all(steps == steps[0])  # one direction: never the other person's
    assert min(s.frames[0] for s in seen[2:]) > max(s.frames[-1] for s in seen[:2])


def test_faces_side_by_side_stay_themselves() -> None:
    seen = followed([(f, [face(0), face(150), face(400, 40)]) for f in range(0, 100, 5)])
    assert [len(s.frames) for s in seen] == [20, 20, 20]
    assert [max(s.rivals) for s in seen] == [1.0, 1.0, 2.5]
    assert followed([(0, [face(0), face(400, 40)])])[0].rivals == [0.4]


def test_a_face_may_be_out_of_sight_for_a_second() -> None:
    def without(gap: range) -> int:
        return len(followed([(f, [] if f in gap else [face(0)]) for f in range(0, 100, 5)]))

    assert without(range(30, 50)) == 1
    assert without(range(30, 61)) == 2


def test_somebody_who_sits_down_in_anothers_place_is_somebody_else() -> None:
    seen = followed([(f, [face(0)]) for f in range(0, 30, 5)] + [(f, [face(300)]) for f in range(30, 60, 5)])
    assert [s.frames[0] for s in seen] == [0, 30]
    seen = followed([(f, [face(0)]) for f in range(0, 30, 5)] + [(f, [face(0, 30)]) for f in range(30, 60, 5)])
    assert [s.frames[0] for s in seen] == [0, 30]


def test_the_square_holds_the_face_and_stays_in_the_picture() -> None:
    boxes = [(40.0, 60.0, 120.0, 160.0), (60.0, 55.0, 140.0, 155.0)]
    left, top, side = _square(boxes, 100.0, (640, 360))
    assert side == 190
    assert left <= 40
    assert top >= 0
    assert left + side >= 140
    assert top + side >= 160
    assert _square(boxes, 100.0, (160, 170)) == (0, 10, 160)


def test_long_pieces_are_cut_into_equal_parts() -> None:
    (seen,) = followed([(f, [face(0)]) for f in range(0, 3000, 5)])
    pieces = _pieces(seen, 0, 3000, 1400, (640, 360))
    assert [(p.start, p.stop) for p in pieces] == [(0, 1000), (1000, 2000), (2000, 3000)]


def test_a_face_begins_and_ends_where_it_was_last_unseen() -> None:
    (seen,) = followed([(f, [face(0)] if 20 <= f <= 60 else []) for f in range(0, 100, 5)])
    assert [(p.start, p.stop) for p in _pieces(seen, 0, 100, 1400, (640, 360))] == [(16, 65)]
    assert [(p.start, p.stop) for p in _pieces(seen, 18, 62, 1400, (640, 360))] == [(18, 62)]
