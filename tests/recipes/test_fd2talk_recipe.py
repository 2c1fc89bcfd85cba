"""FD2Talk's recipe: the lip expert, the paper's ablations, its preset."""

import pytest

from declaim.data.corpus import Corpus
from declaim.errors import ConfigError
from declaim.methods.fd2talk import FD2Talk
from declaim.recipes.fd2talk import RECIPE, lip_expert
from declaim.recipes.overrides import overridden
from declaim.recipes.run import run_recipe
from declaim.sync import SyncExpert
from declaim.sync.config import tiny as tiny_expert

TINY = RECIPE.presets["tiny"]


@pytest.mark.parametrize(
    ("preset", "changed"),
    [("joint", {"joint", "expression"}), ("no-mask", {"band"}), ("no-lip-expert", {"sync_weight"})],
)
def test_an_ablation_changes_one_thing(preset, changed):
    base, other = RECIPE.presets["default"], RECIPE.presets[f"ablation-{preset}"]
    assert (other.train, other.data) == (base.train, base.data)
    mine, theirs = base.method.model_dump(), other.method.model_dump()
    assert {name for name in mine if mine[name] != theirs[name]} <= changed


def test_the_joint_transformer_is_as_large_as_the_two():
    two, one = (FD2Talk(RECIPE.presets[name].method) for name in ("default", "ablation-joint"))
    two, one = (sum(p.numel() for p in method.parameters()) for method in (two, one))
    assert one == pytest.approx(two, rel=0.01)


def test_training_with_the_lip_expert_saves_the_method_alone(little_corpus, tmp_path):
    settings = overridden(TINY, ["method.sync_weight=0.5", "train.steps=2"])
    outcome = run_recipe(RECIPE, settings, little_corpus, tmp_path / "run", command="test")
    trained = FD2Talk.from_pretrained(outcome.weights)
    assert trained.config.sync_weight == 0.5
    assert set(trained.state_dict()) == set(FD2Talk(settings.method).state_dict())
    curves = (tmp_path / "run" / "curves.jsonl").read_text()
    assert "loss/sync" in curves


def test_no_weight_no_expert():
    assert lip_expert(overridden(TINY, ["data.lip_expert=/nowhere"])) is None


def test_an_expert_of_another_encoder_is_refused(tmp_path):
    SyncExpert(tiny_expert(32)).save_pretrained(tmp_path / "expert")
    named = [f"data.lip_expert={tmp_path / 'expert'}", "method.sync_weight=1"]
    with pytest.raises(ConfigError, match=r"hears test, the method whisper-tiny\.en; train one for it"):
        lip_expert(overridden(TINY, named))
    fitting = overridden(TINY, [*named, "method.encoder=test", "method.speech_dim=32"])
    assert lip_expert(fitting) is not None
    with pytest.raises(ConfigError, match=r"method\.frames is 9, fewer than the 10"):
        lip_expert(overridden(fitting, ["method.frames=9"]))


def test_the_papers_preset_asks_for_an_expert_that_hears_wav2vec(little_corpus):
    with pytest.raises(ConfigError, match=r"train sync-expert --set network\.encoder=wav2vec2-base"):
        RECIPE.task(Corpus(little_corpus), overridden(RECIPE.presets["paper"], ["method.sync_weight=1"]))
