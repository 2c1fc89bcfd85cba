"""Takes, same lips, lips and head of two methods, and odd sounds, through the command line with tiny weights."""

import numpy as np
import pytest
import torch
from PIL import Image
from small import RATE, Squares, random_method, refused, voice, works, written
from typer.testing import CliRunner

from declaim import pipeline
from declaim.apps.cli import generate
from declaim.apps.cli.main import app
from declaim.assets import state
from declaim.errors import CheckpointError, ConfigError, DeclaimWarning
from declaim.face.anatomy import lip_directions
from declaim.face.model import FaceModel
from declaim.face.motion_file import read_motion
from declaim.media import read_audio, write_audio
from declaim.methods import a2v_prior
from declaim.methods.a2v_prior import AudioToVisualPrior
from declaim.methods.fd2talk import FD2Talk, tiny
from declaim.registry import ENCODERS, METHODS, RENDERERS
from declaim.types import Frames, Portrait, Speech


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small parts in place of those that are fetched."""
    monkeypatch.setitem(ENCODERS, "loudness", "small:Loudness")
    monkeypatch.setitem(RENDERERS, "squares", "small:Squares")
    monkeypatch.setitem(METHODS, "unshipped", METHODS["fd2talk"])
    monkeypatch.setattr(generate, "ensure_assets", lambda *names, quiet: None)
    zeros = torch.zeros(3)
    still = Portrait(np.zeros((64, 64, 3), np.uint8), 64 * torch.rand(478, 3), zeros, torch.zeros(64), zeros, zeros)
    monkeypatch.setattr(pipeline, "load_portrait", lambda *a, **k: still)


def weights(folder, kind, config):
    random_method(kind, config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("weights")
    return weights(base / "one", FD2Talk, tiny()), weights(base / "two", AudioToVisualPrior, a2v_prior.tiny())


def music(seconds):
    """A chord that is held."""
    t = torch.arange(round(seconds * RATE)) / RATE
    return 0.1 * sum(torch.sin(2 * torch.pi * f * t) for f in (220.0, 277.2, 329.6))


@pytest.fixture
def sound(tmp_path):
    return write_audio(tmp_path / "voice.flac", Speech(voice(), RATE))


# --- takes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def speak(sound, folders, tmp_path):
    """The beginning of a generate command."""
    return ("generate", tmp_path / "me.png", sound, "--weights", folders[0], "--renderer", "squares")


@pytest.fixture(autouse=True)
def picture(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "me.png")


def test_takes_are_numbered_and_shown_together(speak, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    said = works(*speak, "-o", out / "a.mp4", "--takes", 3, "--seed", 5, "--motion-out", out / "m.npz")
    assert written(out) == [
        "a-1.mp4", "a-2.mp4", "a-3.mp4", "a-poses.svg", "a-sheet.png", "m-1.npz", "m-2.npz", "m-3.npz",
    ]  # fmt: skip
    for number, seed in ((1, 5), (2, 6), (3, 7)):
        line = next(line for line in said.splitlines() if f"a-{number}.mp4" in line)
        assert str(seed) in line.split()
        works(*speak, "-o", tmp_path / "alone.mp4", "--seed", seed, "-q")
        assert (tmp_path / "alone.mp4").read_bytes() == (out / f"a-{number}.mp4").read_bytes()
    assert len({(out / f"a-{k}.mp4").read_bytes() for k in (1, 2, 3)}) == 3
    with Image.open(out / "a-sheet.png") as sheet:
        assert sheet.height > 3 * 60 and sheet.width > 6 * 60
    assert "seed 7" in (out / "a-poses.svg").read_text()


def test_one_take_is_as_without_the_option(speak, tmp_path):
    works(*speak, "-o", tmp_path / "a.mp4", "-q")
    before = written(tmp_path)
    works(*speak, "-o", tmp_path / "b.mp4", "--takes", 1, "-q")
    assert written(tmp_path) == sorted([*before, "b.mp4"])
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_command_line_gives_what_generate_gives(tmp_path, monkeypatch):
    """A file that is read in blocks, and the same speech as a whole, with features that come in pieces."""
    monkeypatch.setitem(ENCODERS, "loudness", "small:LoudnessInPieces")
    made = random_method(FD2Talk, tiny())
    made.save_pretrained(tmp_path / "weights")
    speech = write_audio(tmp_path / "s.flac", Speech(voice(64.1), RATE))
    works("motion", speech, "--weights", tmp_path / "weights", "-o", tmp_path / "m.npz", "--seed", 3)
    wanted = FD2Talk.from_pretrained(tmp_path / "weights").generate(read_audio(speech), seed=3)
    assert torch.equal(read_motion(tmp_path / "m.npz").values, wanted.values)


def test_interrupted_after_the_second_take(speak, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    drawn = []

    def render(self, portrait, motion, anchor):
        drawn.append(motion)
        for _ in range(len(motion)):
            if len(drawn) == 3:
                raise KeyboardInterrupt
            yield Frames(np.zeros((1, 64, 64, 3), np.uint8))

    monkeypatch.setattr(Squares, "render", render)
    result = CliRunner().invoke(app, list(map(str, [*speak, "-o", out / "a.mp4", "--takes", 3, "-q"])))
    assert result.exit_code == 130
    assert written(out) == ["a-1.mp4", "a-2.mp4"]


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".json"])
def test_motion_takes_in_every_format(sound, folders, tmp_path, suffix):
    out = tmp_path / "out"
    out.mkdir()
    works("motion", sound, "--weights", folders[0], "-o", out / f"m{suffix}", "--takes", 2, "--same-lips",
          "--head", f"a2v-prior={folders[1]}")  # fmt: skip
    assert written(out) == sorted([f"m-1{suffix}", f"m-2{suffix}", "m-poses.svg"])
    one, two = ((out / f"m-{k}{suffix}").read_bytes() for k in (1, 2))
    assert one != two and len(one) > 1000


def test_same_lips(sound, folders, tmp_path):
    common = ("motion", sound, "--weights", folders[0], "--takes", 2)
    works(*common, "-o", tmp_path / "free.npz")
    works(*common, "-o", tmp_path / "same.npz", "--same-lips")
    free = [read_motion(tmp_path / f"free-{k}.npz") for k in (1, 2)]
    same = [read_motion(tmp_path / f"same-{k}.npz") for k in (1, 2)]
    basis = lip_directions(FaceModel.from_pretrained())
    lips = [m["expression"] @ basis for m in same]
    torch.testing.assert_close(lips[1], lips[0], atol=2e-6, rtol=0)
    assert float((free[1]["expression"] @ basis - lips[0]).abs().max()) > 1e-3
    assert torch.equal(same[1]["rotation"], free[1]["rotation"])
    assert not torch.equal(same[1]["rotation"], same[0]["rotation"])
    assert float((same[1]["expression"] - same[0]["expression"]).abs().max()) > 1e-3


def test_lips_of_one_method_and_head_of_another(sound, folders, tmp_path):
    one, two = folders
    works("motion", sound, "--weights", one, "-o", tmp_path / "one.npz")
    works("motion", sound, "--method", "a2v-prior", "--weights", two, "-o", tmp_path / "two.npz")
    works("motion", sound, "--lips", f"fd2talk={one}", "--head", f"a2v-prior={two}", "-o", tmp_path / "mixed.npz")
    first, second, mixed = (read_motion(tmp_path / f"{name}.npz") for name in ("one", "two", "mixed"))
    basis = lip_directions(FaceModel.from_pretrained())
    torch.testing.assert_close(mixed["expression"] @ basis, first["expression"] @ basis, atol=2e-6, rtol=0)
    assert torch.equal(mixed["rotation"], second["rotation"])
    assert float((first["expression"] - second["expression"]).abs().max()) > 1e-3


def test_help_lists_the_methods(monkeypatch):
    monkeypatch.delitem(METHODS, "unshipped")
    for command in ("generate", "motion"):
        said = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"}).output
        assert f"speech into motion: {', '.join(sorted(METHODS))}." in said


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -2])
@pytest.mark.parametrize("command", ["generate", "motion"])
def test_too_few_takes(command, count, sound, tmp_path):
    args = (tmp_path / "me.png", sound) if command == "generate" else (sound,)
    before = written(tmp_path)
    said = refused(ConfigError, command, *args, "--takes", count)
    assert said == f"--takes is {count}; expected a whole number of at least 1"
    assert written(tmp_path) == before


@pytest.mark.parametrize("more", [(), ("--takes", 1)])
def test_same_lips_as_whom(more, sound):
    assert "add --takes with at least 2" in refused(ConfigError, "motion", sound, "--same-lips", *more)


def test_unknown_methods(sound):
    for option in ("--method", "--lips", "--head"):
        assert "no method 'magic'; there are: a2v-prior" in refused(ConfigError, "motion", sound, option, "magic")


def test_a_method_without_weights(sound):
    said = refused(ConfigError, "motion", sound, "--method", "unshipped")
    assert "ships no weights of 'unshipped'; give yours with --weights FOLDER" in said
    assert "declaim train unshipped" in said
    assert "--lips unshipped=FOLDER" in refused(ConfigError, "motion", sound, "--lips", "unshipped")


def test_weights_of_another_method(sound, folders, tmp_path):
    said = refused(CheckpointError, "motion", sound, "--method", "a2v-prior", "--weights", folders[0])
    assert "holds 'fd2talk' over 'face64', expected 'a2v-prior'" in said
    said = refused(CheckpointError, "motion", sound, "--weights", folders[0], "--head", f"a2v-prior={folders[0]}")
    assert "holds 'fd2talk'" in said


# --- sounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "rate", "frames"),
    [
        (voice(1.2) + voice(1.2, 210.0).flip(0), RATE, 30),  # two people at once
        ((50 * voice(1.2)).clamp(-1, 1), RATE, 30),  # clipped
        (voice(1.2, rate=8000), 8000, 30),
        (voice(0.2), RATE, 5),  # shorter than a window
        (voice(0.04), RATE, 1),
        (torch.tensor([0.3]), RATE, 1),
    ],
    ids=["two speakers", "clipped", "8 kHz", "five frames", "one frame", "one sample"],
)
def test_sounds_that_simply_work(samples, rate, frames, folders, tmp_path):
    speech = write_audio(tmp_path / "s.flac", Speech(samples, rate))
    works("motion", speech, "--weights", folders[0], "-o", tmp_path / "m.npz", "--takes", 2, "--same-lips")
    for number in (1, 2):
        values = read_motion(tmp_path / f"m-{number}.npz").values
        assert len(values) == frames and bool(values.isfinite().all())


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (torch.zeros(4 * RATE), "silent: every sample is zero"),
        (1e-4 * torch.randn(4 * RATE, generator=torch.Generator().manual_seed(0)), "almost silent"),
        (music(4.0), "music or noise rather than speech"),
    ],
    ids=["silence", "hiss", "music"],
)
def test_sounds_that_work_with_a_word(samples, words, folders, tmp_path):
    speech = write_audio(tmp_path / "s.flac", Speech(samples, RATE))
    with pytest.warns(DeclaimWarning) as said:
        works("motion", speech, "--weights", folders[0], "-o", tmp_path / "m.npz")
    assert [words in str(w.message) for w in said] == [True]
    assert len(read_motion(tmp_path / "m.npz")) == 100


def test_speech_with_pauses_is_not_taken_for_music(folders, tmp_path):
    speech = write_audio(tmp_path / "s.flac", Speech(voice(4.0), RATE))
    works("motion", speech, "--weights", folders[0], "-o", tmp_path / "m.npz")


@pytest.mark.skipif(state("whisper-tiny.en") != "complete", reason="not fetched: declaim assets pull whisper-tiny.en")
def test_silence_gives_a_living_face_with_its_mouth_shut(tmp_path):
    from declaim.face.eyes import blinks, eye_opening, lid_closure
    from declaim.face.rotations import yaw_pitch_roll
    from declaim.metrics.functional.lip import mouth_opening

    speech = write_audio(tmp_path / "s.flac", Speech(torch.zeros(12 * RATE), RATE))
    with pytest.warns(DeclaimWarning, match="silent"):
        works("motion", speech, "-o", tmp_path / "m.npz")
    motion = read_motion(tmp_path / "m.npz")
    points = FaceModel.from_pretrained().points(motion["expression"])
    angles = torch.rad2deg(yaw_pitch_roll(motion["rotation"]))
    assert float(mouth_opening(points).max()) < 0.15  # cm; measured 0.07 to 0.09, speech opens it to 1.4
    assert 0.2 < float(angles.std(0).norm()) < 5
    assert 1 <= len(blinks(lid_closure(eye_opening(points)))) <= 20
