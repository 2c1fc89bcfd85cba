"""The face model fitted by the real command to a corpus of made-up tracks."""

import pytest
import torch

from declaim.apps.cli.main import run
from declaim.assets import state
from declaim.data.corpus import CLIPS_FILE, ClipRecord, Corpus, CorpusInfo, file_entry, write_info, write_lines
from declaim.face.camera import Pose, project
from declaim.face.layouts import TRACKER_SCORES
from declaim.face.model import FaceModel
from declaim.pretrained import save_tensors
from declaim.recipes.face_model import choose, load_track

SIZE, FRAMES, SHOWN = (640, 480), 60, 50
SPLITS = {"ann": "train", "ben": "train", "cem": "train", "dan": "silent", "eve": "eval", "fay": "eval"}


def tracked(model, k):
    """Rests, then talks and turns; the tracker loses the face in the last frames."""
    generator = torch.Generator().manual_seed(k)
    expression, rotation = torch.zeros(FRAMES, 64), torch.zeros(FRAMES, 3)
    expression[15:, :4] = 0.5 * torch.randn(FRAMES - 15, 4, generator=generator)
    rotation[15:] = 0.15 * torch.sin(torch.arange(FRAMES - 15)[:, None] / torch.tensor([5.0 + k, 9.0 + k, 21.0]))
    shapes = model.points(expression, torch.randn(40, generator=generator)) + model.corrective(rotation)
    translation = torch.tensor([0.0, 1.0, -45.0]).expand(FRAMES, 3)
    scores = torch.zeros(FRAMES, len(TRACKER_SCORES))
    scores[15:, TRACKER_SCORES.index("jawOpen")] = 0.5
    valid = torch.arange(FRAMES) < SHOWN
    points = project(shapes, Pose(rotation, translation, torch.zeros(FRAMES)), SIZE)
    return {"points": points, "scores": scores, "valid": valid, "size": torch.tensor(SIZE)}


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder, model, records = tmp_path_factory.mktemp("tracks"), FaceModel.from_pretrained(), []
    write_info(folder, CorpusInfo(made_by="tests"))
    for k, (speaker, split) in enumerate(SPLITS.items()):
        path = folder / "clips" / speaker / "track.safetensors"
        path.parent.mkdir(parents=True)
        save_tensors(path, tracked(model, k))
        records.append(
            ClipRecord(name=speaker, speaker=speaker, split=split, licence="CC0", frames=FRAMES,
                       files={"track": file_entry(folder, path)}, usable=split != "silent")
        )  # fmt: skip
    write_lines(folder / CLIPS_FILE, records)
    return folder


def declaim(*arguments):
    with pytest.raises(SystemExit) as left:
        run(list(arguments))
    return left.value.code or 0


@pytest.mark.skipif(state("face-landmarker") != "complete", reason="not fetched: declaim assets pull face-landmarker")
def test_command_fits_measures_and_saves(tracks, tmp_path, capsys):
    output = tmp_path / "run"
    assert declaim("train", "face-model", "--corpus", str(tracks), "-o", str(output)) == 0
    assert "explained_lips" in capsys.readouterr().err
    fitted, origin = FaceModel.from_pretrained(output / "weights"), FaceModel.from_pretrained()
    moved = origin.expression_basis[:4]
    rebuilt = fitted.offsets(fitted.fit_expression(moved, torch.zeros_like(fitted.mean)))
    assert (rebuilt - moved).square().sum() < 0.1 * moved.square().sum()
    card = (output / "weights" / "README.md").read_text()
    assert f"{4 * SHOWN} frames of 4 speakers" in card
    assert "declaim train face-model --corpus" in card
    assert "| CC0 | 4 | 4 |" in card
    assert "| explained_lips |" in card


def test_only_frames_that_show_the_face_are_read(tracks):
    corpus = Corpus(tracks)
    track = load_track(corpus, corpus.clips[0])
    assert (len(track.points), track.speaker, track.size) == (SHOWN, "ann", SIZE)


def test_speakers_give_no_more_than_their_share(tracks):
    records = [
        record.model_copy(update={"name": f"{record.name}-{i}"}) for record in Corpus(tracks).clips for i in range(5)
    ]
    chosen = choose(records, 2 * FRAMES, 0)
    assert [sum(c.speaker == speaker for c in chosen) for speaker in SPLITS] == [2] * len(SPLITS)
    assert chosen != choose(records, 2 * FRAMES, 1)
    assert [c.name for c in chosen] == sorted(c.name for c in chosen)


def test_corpus_without_tracks_is_refused(little_corpus, tmp_path, capsys):
    assert declaim("train", "face-model", "-C", str(little_corpus), "-o", str(tmp_path / "r"), "--preset", "tiny") == 2
    assert "keeps tracked points" in " ".join(capsys.readouterr().err.split())
