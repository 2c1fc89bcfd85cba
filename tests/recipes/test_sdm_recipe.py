"""SDM's recipe: the start that the boundary predictor chooses, the paper's ablations, its preset."""

import pytest
import torch

from declaim.methods.sdm import SDM
from declaim.recipes.overrides import overridden
from declaim.recipes.run import run_recipe
from declaim.recipes.sdm import RECIPE
from declaim.train.optimizer import make_optimizer


@pytest.mark.parametrize(
    ("preset", "changed"),
    [
        ("ablation-no-pose", {"pose"}),
        ("ablation-no-rhythm", {"rhythm"}),
        ("ablation-no-shallow", {"shallow", "sampling_steps"}),
        ("printed-independence", {"independence"}),
    ],
)
def test_an_ablation_changes_one_thing(preset, changed):
    base, other = RECIPE.presets["default"], RECIPE.presets[preset]
    assert (other.train, other.data) == (base.train, base.data)
    mine, theirs = base.method.model_dump(), other.method.model_dump()
    assert {name for name in mine if mine[name] != theirs[name]} == changed


def test_training_chooses_the_start(little_corpus, tmp_path):
    settings = overridden(RECIPE.presets["tiny"], ["method.start_step=none", "train.steps=2"])
    outcome = run_recipe(RECIPE, settings, little_corpus, tmp_path / "run", command="test")
    trained = SDM.from_pretrained(outcome.weights)
    assert trained.config.start_step in range(trained.config.diffusion_steps)
    assert trained.visited(1) == [trained.config.start_step]
    curves = (tmp_path / "run" / "curves.jsonl").read_text()
    assert "loss/boundary" in curves


def test_a_start_that_is_set_is_kept_and_without_shallow_there_is_none(little_corpus, tmp_path):
    for name, change in (("set", "method.start_step=3"), ("whole", "method.shallow=false")):
        settings = overridden(RECIPE.presets["tiny"], [change, "train.steps=1"])
        outcome = run_recipe(RECIPE, settings, little_corpus, tmp_path / name, command="test")
        trained = SDM.from_pretrained(outcome.weights)
        assert trained.visited(1)[0] == (3 if name == "set" else 18)


def test_the_papers_optimiser_is_adam_with_its_decays():
    train = RECIPE.presets["paper"].train
    optimizer = make_optimizer(torch.nn.Linear(2, 2), train)
    assert (train.learning_rate, train.weight_decay) == (2e-4, 0.0)
    assert all(group["betas"] == (0.4, 0.999) for group in optimizer.param_groups)
