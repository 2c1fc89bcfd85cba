"""Styles from videos and files through the command line, with tiny weights; and every file that is of no use."""

import numpy as np
import pytest
import torch
from small import RATE, random_method, refused, voice, works, written

from declaim.assets import shipped, state
from declaim.errors import CheckpointError, ConfigError, DeclaimWarning, ManyFaces, NoFace, Unreadable
from declaim.face.anatomy import Anatomy
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.face.motion_file import read_motion, write_motion
from declaim.media import write_audio, write_image, write_video
from declaim.methods.diffposetalk import DiffPoseTalk, tiny
from declaim.methods.fd2talk import FD2Talk
from declaim.methods.fd2talk import tiny as fd2talk_tiny
from declaim.motion.manner import TYPICAL, Manner, manner_of
from declaim.motion.style import Style
from declaim.pipeline import TalkingHead
from declaim.pretrained import load_described, save_tensors
from declaim.registry import ENCODERS
from declaim.render.mesh import MeshRenderer
from declaim.render.portrait import load_portrait
from declaim.types import Frames, Motion, Speech


@pytest.fixture(scope="module")
def model():
    return FaceModel.from_pretrained()


def speaking(model, frames=75, size=1.0):
    """Somebody whose mouth opens twice a second and whose head nods once a second, ``size`` times as far."""
    mouth = Anatomy.of(model).mouth
    t = torch.arange(frames)[:, None] / 25
    opening = 0.3 * size * (1 + torch.sin(4 * torch.pi * t)) * mouth / mouth.square().sum()
    nod = 0.08 * size * torch.sin(2 * torch.pi * t) * torch.tensor([[1.0, 0, 0]])
    return Motion(torch.cat([opening, nod, torch.zeros(frames, 3)], 1), FACE64)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(ENCODERS, "loudness", "small:Loudness")


@pytest.fixture(scope="module")
def made(tmp_path_factory, model):
    """Tiny weights with two named styles, tiny ones of FD2Talk, and other tiny ones; tracked motion; a voice."""
    base = tmp_path_factory.mktemp("made")
    method = random_method(DiffPoseTalk, tiny())
    method.styles = {name: method.style_of(speaking(model, size=size), f"{name}.mp4")
                     for name, size in (("lively", 1.5), ("calm", 0.5))}  # fmt: skip
    method.save_pretrained(base / "weights")
    torch.nn.init.normal_(next(method.style_encoder.parameters()), std=0.5)
    method.styles = {}
    method.save_pretrained(base / "others")
    random_method(FD2Talk, fd2talk_tiny()).save_pretrained(base / "fd2talk")
    write_motion(base / "her.npz", speaking(model))
    write_audio(base / "voice.flac", Speech(voice(1.2), RATE))
    return base


@pytest.fixture
def speak(made):
    """The beginning of a motion command."""
    return "motion", made / "voice.flac", "--method", "diffposetalk", "--weights", made / "weights"


def spoken(speak, out, *options):
    works(*speak, "-q", "-o", out, *options)
    return read_motion(out).values


# --- what works ------------------------------------------------------------------------------------------------------


def test_a_motion_file_gives_a_style_and_says_what_it_found(made, tmp_path, model):
    out = tmp_path / "her.safetensors"
    said = works("style", "extract", made / "her.npz", "-o", out, "--weights", made / "weights")
    style = Style.load(out)
    assert (style.source, style.seconds) == ("her.npz", 3.0)
    assert style.manner == manner_of(read_motion(made / "her.npz"), model)
    nods = next(line for line in said.splitlines() if line.startswith("nods"))
    assert "60 a minute" in nods and "much more" in nods  # one a second
    assert f"{style.manner.mouth_cm / TYPICAL.mouth_cm:.2f}" in next(x for x in said.splitlines() if "mouth" in x)


def test_names_files_and_motion_mean_the_same_style(made, speak, tmp_path):
    works("style", "extract", made / "her.npz", "-o", tmp_path / "her.safetensors", "--weights", made / "weights", "-q")
    by_file = spoken(speak, tmp_path / "a.npz", "--style", tmp_path / "her.safetensors")
    assert torch.equal(spoken(speak, tmp_path / "b.npz", "--style", made / "her.npz"), by_file)
    calm, lively = (spoken(speak, tmp_path / "c.npz", "--style", name) for name in ("calm", "lively"))
    none = spoken(speak, tmp_path / "d.npz", "--style", "none")
    assert torch.equal(none, spoken(speak, tmp_path / "e.npz"))  # these weights wear no style by default
    different = [by_file, calm, lively, none]
    assert all(not torch.equal(a, b) for i, a in enumerate(different) for b in different[:i])


def test_guidance_scales_reach_the_method(speak, tmp_path):
    plain = spoken(speak, tmp_path / "a.npz", "--style", "lively")
    for option in ("--speech-guidance", "--style-guidance"):
        assert not torch.equal(spoken(speak, tmp_path / "b.npz", "--style", "lively", option, 2), plain)


def test_of_two_methods_the_one_that_takes_styles_gets_it(made, tmp_path):
    roles = ("--lips", f"fd2talk={made / 'fd2talk'}", "--head", f"diffposetalk={made / 'weights'}")
    calm, lively = (
        spoken(("motion", made / "voice.flac"), tmp_path / f"{name}.npz", *roles, "--style", name)
        for name in ("calm", "lively")
    )
    assert not torch.equal(calm[:, 64:], lively[:, 64:])


def test_the_list_of_names(made):
    said = works("style", "list", "--weights", made / "weights")
    assert "lively.mp4, 3 s" in said and "calm.mp4, 3 s" in said
    assert "no named styles" in works("style", "list", "--weights", made / "others")


def test_python_takes_names_files_and_styles(made, monkeypatch):
    def head(style):
        return TalkingHead.from_pretrained("diffposetalk", weights=made / "weights", style=style).method

    named = head("calm")
    assert named.style.source == "calm.mp4"
    assert torch.equal(head(named.style).style.code, named.style.code)
    assert head(made / "her.npz").style.source == "her.npz"
    assert head("none").style is None


# --- videos ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(model):
    """Sixty frames of the demonstration portrait speaking, 192 px."""
    if state("face-landmarker") != "complete":
        pytest.skip("not fetched: declaim assets pull face-landmarker")
    portrait = load_portrait(next(shipped("demo-portrait").glob("portrait.*")), size=192, crop="head", model=model)
    return np.concatenate([run.images for run in MeshRenderer(model=model).render(portrait, speaking(model, 60, 2.0))])


def wall(frames):
    """A wall on which a stripe walks."""
    images = np.full((frames, 192, 192, 3), 120, np.uint8)
    for i, image in enumerate(images):
        image[:, 2 * i % 180 : 2 * i % 180 + 12] = 200
    return images


def video(path, images):
    return write_video(path, iter([Frames(images)]))


@pytest.fixture
def extract(made, tmp_path):
    """The end of an extract command."""
    return "-o", tmp_path / "s.safetensors", "--weights", made / "weights"


def test_a_video_without_sound_gives_a_style(pictures, extract, tmp_path, speak):
    clip = video(tmp_path / "me.mp4", pictures)
    said = works("style", "extract", clip, *extract)
    style = Style.load(extract[1])
    assert (style.source, style.seconds) == ("me.mp4", 2.4)
    assert style.manner.mouth_cm > 0.5 * TYPICAL.mouth_cm
    assert "mouth opening" in said
    by_video = spoken(speak, tmp_path / "a.npz", "--style", clip)
    assert torch.equal(by_video, spoken(speak, tmp_path / "b.npz", "--style", extract[1]))


def test_of_a_video_with_cuts_the_longest_shot_with_a_face_is_taken(pictures, extract, tmp_path):
    clip = video(tmp_path / "cut.mp4", np.concatenate([wall(65), pictures[:52], wall(30)]))
    with pytest.warns(DeclaimWarning, match=r"3 shots; .* the longest that shows a face, 2\.6 s to 4\.7 s"):
        works("style", "extract", clip, *extract)
    assert Style.load(extract[1]).seconds == pytest.approx(2.08, abs=0.05)


def test_somebody_who_keeps_silent(pictures, extract, tmp_path):
    still = video(tmp_path / "still.mp4", np.repeat(pictures[:1], 55, 0))
    with pytest.warns(DeclaimWarning, match=r"mouth hardly moves in still\.mp4"):
        works("style", "extract", still, *extract)


def test_videos_of_no_use(pictures, extract, tmp_path):
    short = video(tmp_path / "short.mp4", pictures[:30])
    assert "needs 2 s of a face in one shot, and" in refused(ConfigError, "style", "extract", short, *extract)
    empty = video(tmp_path / "wall.mp4", wall(60))
    assert "no face was found in" in refused(NoFace, "style", "extract", empty, *extract)
    twins = video(tmp_path / "two.mp4", np.concatenate([pictures, pictures], 2))
    assert "--face" in refused(ManyFaces, "style", "extract", twins, *extract)
    assert written(tmp_path) == ["short.mp4", "two.mp4", "wall.mp4"]
    works("style", "extract", twins, *extract, "--face", "1")


def test_several_faces_in_a_video_named_where_a_style_is_wanted(pictures, speak, tmp_path):
    twins = video(tmp_path / "two.mp4", np.concatenate([pictures, pictures], 2))
    assert "declaim style extract" in refused(ManyFaces, *speak, "-o", tmp_path / "m.npz", "--style", twins)


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_no_such_style(speak, tmp_path):
    said = refused(ConfigError, *speak, "-o", tmp_path / "m.npz", "--style", "angry")
    assert said == "there is no style 'angry' (names: calm, lively); give a name, a style file or a video"
    assert written(tmp_path) == []


@pytest.mark.parametrize(("option", "value"), [("--style", "calm"), ("--speech-guidance", 2), ("--style-guidance", 2)])
def test_a_method_that_takes_no_styles(made, option, value):
    said = refused(ConfigError, "motion", made / "voice.flac", "--weights", made / "fd2talk", option, value)
    assert said == "fd2talk cannot be given a style or guidance; use a method that takes them: diffposetalk"


def test_extracting_for_a_method_that_takes_none(made, tmp_path):
    common = ("-o", tmp_path / "s.safetensors", "--method", "fd2talk", "--weights", made / "fd2talk")
    assert "fd2talk cannot be given a style" in refused(ConfigError, "style", "extract", made / "her.npz", *common)


def test_a_style_of_another_encoder(made, speak, tmp_path):
    out = tmp_path / "her.safetensors"
    works("style", "extract", made / "her.npz", "-o", out, "--weights", made / "others", "-q")
    said = refused(CheckpointError, *speak, "--style", out)
    assert "made with another style encoder" in said and "declaim style extract" in said


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"layout": "flame"}, "has layout flame, this declaim reads face64"), ({"format_version": "7"}, "version 7")],
)
def test_a_style_of_another_layout_or_version(made, speak, tmp_path, changed, sentence):
    out = tmp_path / "her.safetensors"
    works("style", "extract", made / "her.npz", "-o", out, "--weights", made / "weights", "-q")
    tensors, about = load_described(out)
    save_tensors(out, tensors, about | changed)
    assert sentence in refused(CheckpointError, *speak, "--style", out)


def test_files_that_are_no_styles(made, speak, tmp_path, model):
    def said(kind, path):
        return refused(kind, *speak, "-o", tmp_path / "m.npz", "--style", path)

    assert "is no style file" in said(CheckpointError, made / "weights" / "model.safetensors")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    assert "is no motion file" in said(CheckpointError, tmp_path / "other.npz")
    write_motion(tmp_path / "brief.npz", speaking(model, 20))
    assert "needs 2 s of a face in motion" in said(ConfigError, tmp_path / "brief.npz")
    (tmp_path / "text.mp4").write_text("dear style")
    assert "text.mp4" in said(Unreadable, tmp_path / "text.mp4")
    write_image(tmp_path / "me.png", np.zeros((64, 64, 3), np.uint8))
    assert "me.png" in said(Unreadable, tmp_path / "me.png")
    assert "does not exist" in refused(Unreadable, "style", "extract", tmp_path / "none.mp4")
    ready = made / "weights" / "styles" / "calm.safetensors"
    assert "is a style file already" in refused(ConfigError, "style", "extract", ready)
    assert ".safetensors" in refused(ConfigError, "style", "extract", made / "her.npz", "-o", tmp_path / "s.npz")


@pytest.mark.parametrize("scale", ["-1", "nan", "inf"])
@pytest.mark.parametrize("option", ["--speech-guidance", "--style-guidance"])
def test_guidance_that_is_no_number_of_use(speak, tmp_path, option, scale):
    said = refused(ConfigError, *speak, "-o", tmp_path / "m.npz", "--style", "calm", option, scale)
    assert option.strip("-").replace("-", "_") in said
    assert written(tmp_path) == []


@pytest.mark.parametrize("scale", ["0", "1000"])
@pytest.mark.parametrize("option", ["--speech-guidance", "--style-guidance"])
def test_guidance_that_works_with_a_word(speak, tmp_path, option, scale):
    plain = spoken(speak, tmp_path / "a.npz", "--style", "calm")
    with pytest.warns(DeclaimWarning, match="guidance of"):
        values = spoken(speak, tmp_path / "b.npz", "--style", "calm", option, scale)
    assert bool(values.isfinite().all())
    assert float(values.abs().max()) < 10 * float(plain.abs().max()) + 10


# --- manners ---------------------------------------------------------------------------------------------------------


def test_a_manner_is_measured(model):
    found, double = (manner_of(speaking(model, size=size), model) for size in (1.0, 2.0))
    assert found.mouth_cm == pytest.approx(0.3 / 2**0.5, rel=1e-3)
    assert found.turn_deg == pytest.approx(np.rad2deg(0.08) / 2**0.5, rel=1e-2)
    assert found.nods == pytest.approx(60)
    assert found.speed_deg_s == pytest.approx(np.rad2deg(0.08) * 2 * np.pi / 2**0.5, rel=0.05)  # median |cos|
    assert (double.mouth_cm, double.turn_deg) == pytest.approx((2 * found.mouth_cm, 2 * found.turn_deg), rel=1e-2)


def test_frames_without_a_face_do_not_count(model):
    motion = speaking(model)
    gappy = Motion(motion.values.clone(), FACE64, valid=torch.arange(75) < 50)
    gappy.values[50:] = 9.0
    assert manner_of(gappy, model) == manner_of(motion.frames(0, 50), model)


def test_a_face_that_does_nothing(model):
    still = manner_of(Motion(torch.zeros(50, 70), FACE64), model)
    assert still == Manner(0.0, 0.0, 0.0, 0.0, 0.0)
