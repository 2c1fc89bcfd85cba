"""DiffPoseTalk's recipe: whose styles are learnt, references, named styles, its presets."""

import pytest
import torch

from declaim.data.corpus import Corpus
from declaim.face.model import FaceModel
from declaim.methods.diffposetalk import DiffPoseTalk
from declaim.recipes.diffposetalk import MANNERS, RECIPE, named_styles
from declaim.recipes.motion import prepare
from declaim.recipes.overrides import overridden
from declaim.recipes.run import run_recipe

TINY = RECIPE.presets["tiny"]


@pytest.fixture(scope="module")
def task(little_corpus):
    return RECIPE.task(Corpus(little_corpus), overridden(TINY, ["data.tempos=[]"]))


def test_batches_tell_people_apart_and_bring_another_clip_of_theirs(task):
    batch, names = task.batch(0, range(12)), task.names(0, range(12))
    speakers = [name.partition("_")[0] for name in names]
    assert [speakers[i] == speakers[0] for i in range(12)] == (batch["people"] == batch["people"][0]).tolist()
    assert bool(batch["reference_mask"].any(1).all())
    material = {clip.name: m for clip, m in zip(task._material.learnt, task._material.measured.material, strict=True)}
    for name, reference in zip(names, batch["reference"], strict=True):
        own = material[name]
        assert not any(torch.equal(reference[:40], target[s : s + 40]) for target in (own.target, own.mirrored)
                       for s in range(25))  # fmt: skip
    again = task.batch(0, range(5, 7))
    assert torch.equal(again["reference"], batch["reference"][5:7])


def test_everybody_keeps_his_own_amplitude(little_corpus):
    corpus, config = Corpus(little_corpus), TINY.method
    personal = prepare(corpus, TINY.data, config, personal=True)
    common = prepare(corpus, TINY.data, config)
    clip, own, levelled = personal.learnt[0], personal.measured.material[0], common.measured.material[0]
    turned = clip.motion[:, 64:67] - clip.motion[:, 64:67].mean(0)
    torch.testing.assert_close(own.target[:, 64:67].std(), turned.std(), rtol=0.05, atol=0.0)
    assert float(levelled.target[:, 64:67].square().mean().sqrt()) == pytest.approx(0.03, rel=0.2)
    mouth = personal.anatomy.mouth
    torch.testing.assert_close(
        (own.target[:, :64] @ mouth).std(), (clip.motion[:, :64] @ mouth).std(), rtol=0.1, atol=0
    )
    assert bool(own.pose_mask.all())


def test_styles_are_named_by_manner_and_come_from_different_speakers(task):
    named = named_styles(task._material, FaceModel.from_pretrained())
    assert set(named) <= set(MANNERS)
    assert len({clip.speaker for clip, _ in named.values()}) == len(named) == 3


def test_weights_bring_their_styles_and_the_card_says_whose_they_are(little_corpus, tmp_path):
    outcome = run_recipe(RECIPE, overridden(TINY, ["train.steps=2"]), little_corpus, tmp_path / "run", command="test")
    method = DiffPoseTalk.from_pretrained(outcome.weights)
    assert list(method.styles) == sorted(list(MANNERS)[:3])
    card = (outcome.weights / "README.md").read_text()
    for name in method.styles:
        assert f"| {name} | " in card
    assert "CC BY 4.0" in card


@pytest.mark.parametrize("preset", ["one-hot", "no-style"])
def test_an_ablation_changes_where_styles_come_from(preset, little_corpus):
    base, other = RECIPE.presets["default"], RECIPE.presets[preset]
    assert (other.train, other.data) == (base.train, base.data)
    mine, theirs = base.method.model_dump(), other.method.model_dump()
    assert {name for name in mine if mine[name] != theirs[name]} == {"style"}
    small = TINY.method.model_copy(
        update={"style": TINY.method.style.model_copy(update={"kind": other.method.style.kind})}
    )
    task = RECIPE.task(Corpus(little_corpus), TINY.model_copy(update={"method": small}))
    batch = task.batch(0, range(4))
    losses = task.losses(task.module, batch, torch.arange(4))
    losses["total"].backward()
    assert float(losses["contrast"]) == 0.0
    if preset == "one-hot":
        assert task.module.style_table.weight.shape[0] == 3
        assert int((task.module.style_table.weight.grad.abs().sum(1) > 0).sum()) == len(set(batch["people"].tolist()))
