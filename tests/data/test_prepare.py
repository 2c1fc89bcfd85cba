"""Files to clips: what comes out, again and again the same, and what odd files become."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from talking_scenes import FACE_PX, LEVEL_ENCODER, babble, person, scene, swaying, write_talking

from declaim import registry
from declaim.assets import state
from declaim.data.corpus import CLIPS_FILE, CORPUS_FILE, ClipRecord, Corpus, Refusal, write_info
from declaim.data.prepare import PrepareOptions, Summary, find_sources, prepare_corpus, prepare_source
from declaim.errors import CheckpointError, ConfigError
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker, track_motion
from declaim.media import read_audio, read_frames, write_audio, write_video
from declaim.types import Frames, Speech

pytestmark = pytest.mark.skipif(
    state("face-landmarker") != "complete", reason="not fetched: declaim assets pull face-landmarker"
)


@pytest.fixture(autouse=True)
def _level_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ENCODERS, "level", LEVEL_ENCODER)


OPTIONS = PrepareOptions(encoder="level", tempos=(1.0, 0.9), picture_px=128)


def prepared(folder: Path, options: PrepareOptions = OPTIONS) -> tuple[Corpus, list[Refusal], Summary]:
    """The corpus of ``folder/in``, made in ``folder/out``."""
    sources, refused = find_sources(folder / "in", None, options)
    told = prepare_corpus(sources, refused, folder / "out", options)
    lines = (folder / "out" / "refused.jsonl").read_text().splitlines()
    return Corpus(folder / "out"), [Refusal.model_validate_json(line) for line in lines], told


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people with sound, one file with spaces and letters of other languages, and a broken one."""
    folder = tmp_path_factory.mktemp("talking")
    (folder / "in").mkdir()
    write_talking(folder / "in" / "ann.mp4", 1.6)
    write_talking(folder / "in" / "Bøb ö (2).mkv", 1.2, seed=1)
    whole = (folder / "in" / "ann.mp4").read_bytes()
    (folder / "in" / "broken.mp4").write_bytes(whole[:200] + bytes(2000))
    return folder


def test_a_clip_has_the_motion_of_its_video(talking: Path) -> None:
    corpus, refused, told = prepared(talking)
    assert [clip.name for clip in corpus.clips] == ["Bøb_ö_2", "ann"]
    assert [r.source for r in refused] == ["broken.mp4"]
    assert "cannot read broken.mp4" in refused[0].reason
    assert (told.clips, told.usable, told.speakers) == (2, 2, 2)
    ann = corpus.clips[1]
    assert (ann.frames, ann.start_s, ann.flags, ann.usable) == (40, 0.0, (), True)
    with FaceTracker() as tracker:
        track = tracker.track(read_frames(talking / "in" / "ann.mp4"))
    motion = corpus.motion(ann)
    assert torch.equal(motion.values, track_motion(track, FaceModel.from_pretrained()).values)
    assert torch.equal(corpus.track(ann).points, track.points)
    assert ann.quality.face_px == pytest.approx(FACE_PX, rel=0.1)
    assert corpus.verify() == []


def test_a_clip_has_the_sound_and_picture_of_its_video(talking: Path) -> None:
    corpus, _, _ = prepared(talking)
    ann = corpus.clips[1]
    speech = corpus.speech(ann)
    assert len(speech.samples) == 40 * 640
    heard = read_audio(talking / "in" / "ann.mp4").samples[: 40 * 640]
    assert float((speech.samples[: len(heard)] - heard).abs().max()) <= 1 / 32768
    assert corpus.features(ann).shape == (40, 4)
    assert corpus.features(ann, tempo=0.9).shape == (44, 4)
    assert 0.2 < float(corpus.speaking(ann).float().mean()) < 1.0
    images = np.concatenate([run.images for run in read_frames(corpus.path(ann, "picture"))])
    assert images.shape == (40, 128, 128, 3)
    assert ann.crop_box is not None
    left, top, side = ann.crop_box
    points = corpus.track(ann).points[:, :, :2]
    assert bool(((points > torch.tensor([left, top])) & (points < torch.tensor([left, top]) + side)).all())


def test_a_second_run_writes_no_clip_again(talking: Path) -> None:
    prepared(talking)
    before = {path: path.stat().st_mtime_ns for path in (talking / "out" / "clips").rglob("*")}
    hashes = tree(talking / "out")
    prepared(talking)
    assert {path: path.stat().st_mtime_ns for path in (talking / "out" / "clips").rglob("*")} == before
    assert tree(talking / "out") == hashes


def test_lost_files_and_stages_are_made_again_alike(talking: Path) -> None:
    prepared(talking)
    hashes = tree(talking / "out")
    (talking / "out" / "clips" / "ann" / "motion.safetensors").unlink()
    (talking / "out" / "clips" / "ann" / ".speech.x.partial.flac").write_bytes(b"half")
    (talking / "out" / "clips.jsonl").unlink()
    prepared(talking)
    assert tree(talking / "out") == hashes
    (talking / "out" / "work" / "ann.json").write_text("{")
    (talking / "out" / "work" / "ann.survey.json").unlink()
    prepared(talking)
    assert tree(talking / "out") == hashes


def test_labels_may_change_without_new_work(talking: Path) -> None:
    prepared(talking)
    (talking / "labels.csv").write_text("path,speaker,split\nin/ann.mp4,dora,eval\n")
    sources, refused = find_sources(talking / "in", talking / "labels.csv", OPTIONS)
    results = prepare_source(sources[0].model_copy(update={"other_tempos": True}), talking / "out", OPTIONS)
    assert isinstance(results[0], ClipRecord)
    assert (results[0].speaker, results[0].split) == ("dora", "eval")
    assert len(refused) == 2


def test_a_changed_file_gives_other_clips(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_talking(tmp_path / "in" / "a.mp4", 1.2)
    corpus, _, _ = prepared(tmp_path)
    write_talking(tmp_path / "in" / "a.mp4", 1.6)
    changed, _, _ = prepared(tmp_path)
    assert [c.frames for c in corpus.clips] == [30]
    assert [c.frames for c in changed.clips] == [40]
    assert changed.verify() == []


def test_other_options_and_strangers_are_refused(talking: Path, tmp_path: Path) -> None:
    prepared(talking)
    with pytest.raises(ConfigError, match="picture_px 128 instead of 256"):
        prepared(talking, OPTIONS.model_copy(update={"picture_px": 256}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    (tmp_path / "in").symlink_to(talking / "in")
    with pytest.raises(ConfigError, match=r"thesis\.txt"):
        prepared(tmp_path)


def test_another_version_is_refused_and_left_alone(tmp_path: Path, talking: Path) -> None:
    corpus, _, _ = prepared(talking)
    write_info(tmp_path / "out", corpus.info)
    path = tmp_path / "out" / CORPUS_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    (tmp_path / "in").symlink_to(talking / "in")
    before = tree(tmp_path / "out")
    with pytest.raises(CheckpointError, match="version 99"):
        prepared(tmp_path)
    assert tree(tmp_path / "out") == before


def test_cuts_every_second_give_a_clip_a_second(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shots = [scene(n, [(person(i % 2 == 1), swaying())], backdrop=60 + 60 * i) for i, n in enumerate((25, 30, 10))]
    write_video(tmp_path / "in" / "cuts.mp4", shots, babble(2.6), fps=Fraction(25))
    corpus, refused, _ = prepared(tmp_path)
    assert [(c.name, c.start_s, c.frames) for c in corpus.clips] == [("cuts--001", 0.0, 25), ("cuts--002", 1.0, 30)]
    assert [r.reason for r in refused] == ["1 piece shorter than 1 s"]


def test_people_who_cross_keep_to_themselves(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    crossing = [(person(), lambda i: (5 + 7 * i, 30)), (person(True), lambda i: (485 - 7 * i, 30))]
    write_video(tmp_path / "in" / "two.mp4", [scene(75, crossing, (640, 256))], babble(3), fps=Fraction(25))
    corpus, _, told = prepared(tmp_path, PrepareOptions(encoder="level", shortest_s=0.6, picture_px=64))
    assert len(corpus.clips) == 4
    for clip in corpus.clips:
        track = corpus.track(clip)
        steps = track.points[:, :, 0].mean(1)[track.valid].diff()
        assert 6.0 < abs(float(steps.median())) < 8.0
        assert bool((steps.sign() == steps.median().sign()).all())  # one direction: never the other person
        assert "several faces" in clip.flags
    assert told.usable == 0


def coded(path: Path, frames: Frames, rate: int) -> Path:
    """A silent video of few pictures a second."""
    return write_video(path, [Frames(frames.images, Fraction(rate))])


def test_few_pictures_a_second_are_flagged(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    coded(tmp_path / "in" / "slow.mp4", scene(10, [(person(), swaying())]), 8)
    corpus, _, _ = prepared(tmp_path)
    (clip,) = corpus.clips
    assert clip.frames == pytest.approx(10 * 25 / 8, abs=1)
    assert {"low frame rate", "no sound"} == set(clip.flags)
    assert not clip.usable
    assert sorted(clip.files) == ["motion", "picture", "track"]


def test_big_pictures_are_tracked_in_their_own_pixels(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    small = scene(5, [(person(), swaying(300, 60))], (640, 360)).images
    big = np.repeat(np.repeat(small, 6, 1), 6, 2)
    coded(tmp_path / "in" / "4k.mp4", Frames(big), 5)
    corpus, _, _ = prepared(tmp_path)
    (clip,) = corpus.clips
    assert clip.quality.face_px == pytest.approx(6 * FACE_PX, rel=0.1)
    assert corpus.track(clip).size == (3840, 2160)
    assert clip.crop_box is not None
    x = corpus.track(clip).points[0, :, 0].mean()
    assert clip.crop_box[0] < float(x) < clip.crop_box[0] + clip.crop_box[2]
    assert 6 * 300 < float(x) < 6 * 450


def test_a_video_held_sideways_is_upright(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    upright = scene(30, [(person(), swaying(45, 90))], (240, 320)).images
    path = coded(tmp_path / "in" / "phone.mp4", Frames(np.ascontiguousarray(np.rot90(upright, 1, (1, 2)))), 25)
    turn_clockwise(path)
    corpus, _, _ = prepared(tmp_path)
    (clip,) = corpus.clips
    assert corpus.track(clip).size == (240, 320)
    assert clip.quality.roll_deg is not None
    assert max(map(abs, clip.quality.roll_deg)) < 30


def turn_clockwise(path: Path) -> None:
    """Write a display matrix into the track's header, as phones do."""
    data = bytearray(path.read_bytes())
    matrix = [65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30]
    at = data.index(b"".join(v.to_bytes(4, "big") for v in matrix), data.index(b"tkhd"))
    turned = [0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30]
    data[at : at + 36] = b"".join((v % 2**32).to_bytes(4, "big") for v in turned)
    path.write_bytes(data)


def test_files_without_picture_or_face_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_audio(tmp_path / "in" / "sound.flac", babble(1))
    coded(tmp_path / "in" / "wall.mp4", scene(30, []), 25)
    (tmp_path / "in" / "empty.mp4").touch()
    corpus, refused, told = prepared(tmp_path)
    assert corpus.clips == []
    assert told.clips == 0
    assert [(r.source, r.reason.split(";")[0]) for r in refused] == [
        ("empty.mp4", "cannot read empty.mp4: the file is empty (0 bytes)"),
        ("sound.flac", "sound.flac has sound but no moving picture"),
        ("wall.mp4", "no face was found in any of its frames"),
    ]


def test_sound_that_ends_early_ends_the_clip(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    short, sound = scene(50, [(person(), swaying())]), babble(1.4)
    path = tmp_path / "in" / "a.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width = video.height = 256
        audio = out.add_stream("flac", rate=16_000, layout="mono", format="s16")
        for image in short.images:
            out.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(video.encode(None))
        whole = (sound.samples.numpy()[None] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    corpus, _, _ = prepared(tmp_path)
    (clip,) = corpus.clips
    assert clip.frames == 35
    assert "no sound" not in clip.flags


def test_music_and_silence_are_told_from_speech(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    frames = scene(40, [(person(), swaying())])
    time = torch.arange(16_000 * 2) / 16_000
    chord = sum(0.1 * torch.sin(2 * torch.pi * hertz * time) for hertz in (220.0, 277.2, 329.6))
    write_video(tmp_path / "in" / "chord.mp4", [frames], Speech(chord.float(), 16_000))
    write_video(tmp_path / "in" / "mute.mp4", [frames], Speech(torch.zeros(32_000), 16_000))
    corpus, _, _ = prepared(tmp_path)
    assert [(clip.name, clip.flags) for clip in corpus.clips] == [
        ("chord", ("music or noise",)),
        ("mute", ("no speech",)),
    ]
    assert not any(clip.usable for clip in corpus.clips)
    assert (tmp_path / "out" / CLIPS_FILE).is_file()
