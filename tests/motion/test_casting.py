from pathlib import Path

import pytest

from declaim.errors import CheckpointError, ConfigError
from declaim.methods.fd2talk import FD2Talk, tiny
from declaim.motion.casting import Cast, Role
from declaim.motion.mixed import MixedMethod
from declaim.registry import METHODS


@pytest.fixture
def other(monkeypatch):
    """A second registered method, which ships no weights."""
    monkeypatch.setitem(METHODS, "other", METHODS["fd2talk"])
    return "other"


def test_one_method_does_all_unless_told_otherwise(other):
    assert Cast.named("fd2talk").roles == (Role("fd2talk"),)
    assert Cast.named("fd2talk", "w") == Cast(Role("fd2talk", Path("w")), Role("fd2talk", Path("w")))
    assert Cast.named("fd2talk", lips="other=a=b") == Cast(Role("other", Path("a=b")), Role("fd2talk"))
    assert Cast.named("fd2talk", head="other").roles == (Role("fd2talk"), Role("other"))


def test_a_bare_name_equal_to_the_method_has_its_weights(other):
    cast = Cast.named("fd2talk", "w", lips="fd2talk", head="other=v")
    assert cast == Cast(Role("fd2talk", Path("w")), Role("other", Path("v")))
    assert Cast.named("other", "w", lips="fd2talk") == Cast(Role("fd2talk"), Role("other", Path("w")))


def test_mistakes_are_said(other):
    with pytest.raises(ConfigError, match=r"no method 'magic'; there are: a2v-prior, .*fd2talk, .*other"):
        Cast.named("fd2talk", lips="magic")
    with pytest.raises(ConfigError, match="--head is 'other='; expected METHOD or METHOD=FOLDER"):
        Cast.named("fd2talk", head="other=")
    with pytest.raises(ConfigError, match="--weights w are of 'fd2talk', which makes neither lips nor head here"):
        Cast.named("fd2talk", "w", lips="other=a", head="other=a")
    with pytest.raises(ConfigError, match="ships no weights of 'other'; give yours with --lips other=FOLDER"):
        Cast.named("fd2talk", lips="other").load()
    with pytest.raises(ConfigError, match=r"give yours with --weights FOLDER \(made by: declaim train other"):
        Cast.named("other").load()


def test_load_gives_one_method_or_a_mix(tmp_path):
    FD2Talk(tiny()).save_pretrained(tmp_path / "mine")
    assert isinstance(Cast.named("fd2talk", tmp_path / "mine").load(), FD2Talk)
    mixed = Cast.named("fd2talk", tmp_path / "mine", head="fd2talk=" + str(tmp_path / "mine")).load()
    assert isinstance(mixed, FD2Talk)  # two names for the same weights
    FD2Talk(tiny()).save_pretrained(tmp_path / "yours")
    mixed = Cast.named("fd2talk", tmp_path / "mine", head=f"fd2talk={tmp_path / 'yours'}").load()
    assert isinstance(mixed, MixedMethod) and mixed.lips is not mixed.head


def test_weights_of_another_method(tmp_path):
    FD2Talk(tiny()).save_pretrained(tmp_path / "w")
    with pytest.raises(CheckpointError, match="holds 'fd2talk' over 'face64', expected 'a2v-prior'"):
        Cast.named("a2v-prior", tmp_path / "w").load()
