import pytest
import torch

from declaim.data.corpus import Corpus
from declaim.errors import ConfigError
from declaim.methods.fd2talk import FD2Talk
from declaim.motion.normalizer import NO_CONTRAST, Normalizer
from declaim.motion.targets import STILL_RAD
from declaim.pretrained import load_tensors, save_tensors
from declaim.recipes import motion
from declaim.recipes.fd2talk import RECIPE as FD2TALK
from declaim.recipes.heads import RECIPE, HeadsSettings
from declaim.recipes.motion import MotionData
from declaim.recipes.run import run_recipe

from .conftest import write_corpus


def test_heads_are_set_anew_and_the_networks_stay(little_corpus, tmp_path):
    settings = HeadsSettings(data=MotionData(tempos=(), sync="none", hold_out=("ann",)))
    outcome = run_recipe(RECIPE, settings, little_corpus, tmp_path / "run", command="")
    assert set(outcome.figures) == {"head_speed_median", "head_speed_p90"}
    assert min(outcome.figures.values()) > 0
    old, new = FD2Talk.from_pretrained(), FD2Talk.from_pretrained(outcome.weights)
    assert all(torch.equal(a, b) for a, b in zip(old.state_dict().values(), new.state_dict().values(), strict=True))
    assert torch.equal(old.normalizer.motion_std, new.normalizer.motion_std)
    assert not torch.equal(old.normalizer.pose_filter, new.normalizer.pose_filter)


def test_speakers_who_sit_still_do_not_calm_the_others(tmp_path):
    write_corpus(tmp_path / "corpus")
    settings = FD2TALK.presets["tiny"]
    for name in ("ann_0", "ann_1"):
        file = tmp_path / "corpus" / "clips" / name / "motion.safetensors"
        tensors = load_tensors(file)
        tensors["motion"][:, 64:] *= 0.1 * STILL_RAD
        save_tensors(file, tensors)
    prepared = motion.prepare(Corpus(tmp_path / "corpus"), settings.data, settings.method)
    assert [clip.name for clip in prepared.moving()] == ["ben_0", "cem_0"]


def test_unknown_methods_are_refused(little_corpus):
    with pytest.raises(ConfigError, match="there is no method 'nobody'"):
        RECIPE.task(Corpus(little_corpus), HeadsSettings(method="nobody"))


def test_weights_made_before_there_was_contrast_load_and_have_none(tmp_path):
    Normalizer.identity(3, 70).save(tmp_path)
    tensors = load_tensors(tmp_path / "normalizer.safetensors")
    del tensors["pose_contrast"]
    save_tensors(tmp_path / "normalizer.safetensors", tensors)
    assert torch.equal(Normalizer.load(tmp_path).pose_contrast, NO_CONTRAST)
