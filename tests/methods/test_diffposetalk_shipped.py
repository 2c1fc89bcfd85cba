"""The shipped weights without the speech encoder: features are made up, so only gross behaviour is tested."""

import pytest
import torch

from declaim.face.anatomy import Anatomy
from declaim.face.layouts import N_EXPRESSION
from declaim.face.model import FaceModel
from declaim.methods.diffposetalk import DiffPoseTalk


@pytest.fixture(scope="module")
def method():
    return DiffPoseTalk.from_pretrained()


@pytest.fixture(scope="module")
def mouth():
    return Anatomy.of(FaceModel.from_pretrained()).mouth


def speech(method, frames, seed=0):
    """Features of no real speech, but varied like it."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(frames + 4, method.config.speech_dim, generator=generator)
    smooth = noise.unfold(0, 5, 1).mean(-1) * 5**0.5
    return method.normalizer.speech_mean + method.normalizer.speech_std * smooth


def spoken(method, style, frames=300, seed=0):
    worn = method.with_style(method.styles[style])
    return worn.generate_from_features([speech(method, frames)], frames, seed=seed, blink_scale=0.0)


def test_named_styles_move_as_their_names_say(method, mouth):
    assert set(method.styles) == {"broad", "calm", "lively", "nodding", "reserved"}
    turned = {name: float(spoken(method, name)["rotation"].std(0).norm()) for name in ("calm", "lively")}
    assert turned["lively"] > 2 * turned["calm"]
    opened = {name: float((spoken(method, name)["expression"] @ mouth).std()) for name in ("broad", "reserved")}
    assert opened["broad"] > opened["reserved"]


def test_a_style_is_the_same_after_half_precision(method):
    key = method.style_key
    assert all(style.encoder == key for style in method.styles.values())
    assert all(style.manner is not None and style.seconds >= 4 for style in method.styles.values())


def test_heads_do_not_drift(method):
    motion = spoken(method, "lively", 900, seed=3)
    assert float(motion["rotation"].norm(dim=1).max()) < 0.7
    assert float(motion["translation"].norm(dim=1).max()) < 8.0
    late, early = motion["rotation"][450:].std(0).norm(), motion["rotation"][:450].std(0).norm()
    assert 0.4 < float(late / early) < 2.5


def test_windows_leave_no_kinks(method):
    motion = spoken(method, "lively", 600, seed=4)
    kink = motion["rotation"].diff(n=2, dim=0).norm(dim=1)
    borders = torch.tensor([k * method.config.new + d for k in range(1, 600 // method.config.new) for d in (-2, -1)])
    assert float(kink[borders].mean()) < 2.0 * float(kink.mean())


def test_few_steps_keep_the_amplitude_of_many(method, mouth):
    worn, features = method.with_style(method.styles["lively"]), speech(method, 150)
    few, many = (worn.generate_from_features([features], 150, seed=5, steps=s) for s in (None, 50))
    sizes = [float((m["expression"][:, :N_EXPRESSION] @ mouth).std()) for m in (few, many)]
    assert sizes[0] / sizes[1] == pytest.approx(1.0, abs=0.1)
    heads = [float(m["rotation"].std(0).norm()) for m in (few, many)]
    assert heads[0] / heads[1] == pytest.approx(1.0, abs=0.4)
