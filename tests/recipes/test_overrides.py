import pytest

from declaim.errors import ConfigError
from declaim.recipes.fd2talk import RECIPE
from declaim.recipes.overrides import described, flattened, overridden, shown
from declaim.registry import RECIPES, resolve

DEFAULT = RECIPE.presets["default"]


@pytest.mark.parametrize(
    ("assignment", "section", "name", "value"),
    [
        ("train.steps=100", "train", "steps", 100),
        ("train.learning_rate = 1e-4", "train", "learning_rate", 1e-4),
        ("train.keep=best", "train", "keep", "best"),
        ("train.best_by=-error=x", "train", "best_by", "-error=x"),
        ("data.tempos=0.8,1.2", "data", "tempos", (0.8, 1.2)),
        ("data.tempos=[1.2]", "data", "tempos", (1.2,)),
        ("data.tempos=", "data", "tempos", ()),
        ("data.hold_out=ann", "data", "hold_out", ("ann",)),
        ("data.hold_out=7, 8", "data", "hold_out", ("7", "8")),
        ("method.encoder=null", "method", "encoder", "null"),
    ],
)
def test_values_are_typed(assignment, section, name, value):
    changed = overridden(DEFAULT, [assignment])
    assert getattr(getattr(changed, section), name) == value
    before, after = dict(flattened(DEFAULT)), dict(flattened(changed))
    assert [key for key in after if after[key] != before[key]] == [f"{section}.{name}"]


def test_deeper_sections_and_several_at_once():
    changed = overridden(DEFAULT, ["method.pose.layers=1", "train.steps=3", "train.steps=4"])
    assert (changed.method.pose.layers, changed.method.expression.layers, changed.train.steps) == (1, 3, 4)


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        (
            "train.stpes=3",
            r"no setting train.stpes; did you mean train.steps.*known are: train.steps, train.batch_size",
        ),
        ("steps=3", r"no setting steps; did you mean train.steps"),
        ("method.layers=3", r"did you mean .*method.expression.layers"),
        ("train.steps=many", r"train.steps cannot be 'many': input should be a valid integer"),
        ("train.steps=0", r"greater than 0 \(now 800\)"),
        ("train.precision=fp8", r"'no', 'bf16' or 'fp16'"),
        ("train=3", r"train is a section; set one of: train.steps"),
        ("train.steps", r"expected name=value"),
        ("train.steps.more=1", r"no setting train.steps.more"),
    ],
)
def test_mistakes_are_one_sentence(assignment, sentence):
    with pytest.raises(ConfigError, match=sentence):
        overridden(DEFAULT, [assignment])


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_keeps_the_contract(name):
    recipe = resolve(RECIPES, name, kind="recipe")
    assert recipe.name == name
    assert {"default", "tiny"} <= set(recipe.presets)
    for preset in recipe.presets.values():
        assert all(meaning for _, _, meaning in described(preset)), "every setting says what it is"
        assert overridden(preset, [f"{key}={shown(value)}" for key, value in flattened(preset)]) == preset
