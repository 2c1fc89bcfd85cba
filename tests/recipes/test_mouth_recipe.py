"""Pairs of pictures, how they are drawn and changed, and the mouth renderer's recipe."""

from pathlib import Path

import numpy as np
import pytest
import torch

from declaim.assets import state
from declaim.data.corpus import Corpus
from declaim.errors import ConfigError
from declaim.face.layouts import LIPS_INNER, LIPS_OUTER, MIRROR
from declaim.face.model import FaceModel
from declaim.recipes import pair_making
from declaim.recipes.mouth_renderer import RECIPE, MouthSettings
from declaim.recipes.pair_making import chosen_frames
from declaim.recipes.pair_patches import PatchSampler, cut_patches, mouth_mask
from declaim.recipes.pairs import SIDE, Look, PairChanges, Pairs, PairSampler, PairsData, read_pairs, with_pictures
from declaim.render.mouth import MouthNetwork
from declaim.render.mouth.config import default

from .pictures import write_picture_corpus

DATA = PairsData(references=2, targets=6)
PLAIN = Look(1.0, 1.0, (0.0, 0.0, 0.0), 0.0, 0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    if state("face-landmarker") != "complete":
        pytest.skip("not fetched: declaim assets pull face-landmarker")
    return Corpus(write_picture_corpus(tmp_path_factory.mktemp("pictures") / "corpus"))


@pytest.fixture(autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pairs are kept in a folder of the tests' own."""
    folder = tmp_path_factory.getbasetemp() / "kept"
    monkeypatch.setattr(pair_making, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def pairs(corpus: Corpus) -> Pairs:
    return read_pairs(corpus, with_pictures(corpus, DATA)[0], DATA)


def test_clips_that_only_lack_speech_have_pictures_too(corpus):
    learnt, held = with_pictures(corpus, DATA)
    assert ([clip.name for clip in learnt], held) == (["ann_0", "ann_1", "ben_0"], [])
    one_each = DATA.model_copy(update={"clips_per_speaker": 1, "hold_out": ("ben",)})
    learnt, held = with_pictures(corpus, one_each)
    assert ([clip.name for clip in learnt], [clip.name for clip in held]) == (["ann_0"], ["ben_0"])
    with pytest.raises(ConfigError, match="names zoe"):
        with_pictures(corpus, DATA.model_copy(update={"hold_out": ("zoe",)}))
    with pytest.raises(ConfigError, match="no clips with pictures"):
        with_pictures(corpus, DATA.model_copy(update={"splits": ("nothing",)}))


def test_a_pairs_guide_is_its_target_where_the_mesh_renderer_drew_both(pairs):
    assert len(pairs) == 3 * 6
    assert pairs.reference.shape == (6, SIDE, SIDE, 3)
    assert pairs.speaker == [pairs.speakers[i] for i in pairs.of]
    assert [pairs.clip[i] for i in pairs.of.unique()] == ["ann_0"] * 2 + ["ann_1"] * 2 + ["ben_0"] * 2
    apart = np.abs(pairs.guide.astype(int) - pairs.target).mean((1, 2, 3))
    assert np.median(apart) < 3
    # a target far from its guide would be another frame
    others = np.abs(pairs.guide.astype(int) - np.roll(pairs.target, 3, 0)).mean((1, 2, 3))
    assert np.median(apart) < 0.6 * np.median(others)
    lips = (pairs.points - pairs.guide_points)[:, list(LIPS_OUTER)].norm(dim=-1)
    assert float(lips.median()) < 2


def test_pairs_are_made_once(corpus, pairs, kept, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    steps: list[tuple[int, int]] = []
    with monkeypatch.context() as patched:
        patched.setattr(pair_making.PairMaker, "_make", refuse)
        again = read_pairs(corpus, with_pictures(corpus, DATA)[0], DATA, lambda *step: steps.append(step))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert (again.guide == pairs.guide).all()
    assert torch.equal(again.coefficients, pairs.coefficients)
    damaged = sorted((kept / "pairs").iterdir())[0]
    damaged.write_bytes(b"nothing")
    repaired = read_pairs(corpus, with_pictures(corpus, DATA)[0], DATA)
    assert (repaired.guide == pairs.guide).all()


def test_frames_are_chosen_over_all_openings():
    opening, valid = np.linspace(0, 1, 40), np.arange(2, 40)
    chosen = chosen_frames(opening, valid, (2, 12), np.random.default_rng(0))
    (closed, some), (opened, others) = chosen
    assert closed < 21 <= opened
    assert len(some) == len(others) == 6
    taken = sorted([*some, *others])
    assert len(set(taken)) == 12
    assert not {closed, opened} & set(taken)
    assert max(np.diff(taken)) < 8
    assert chosen_frames(opening, valid[:3], (2, 12), np.random.default_rng(0)) == []


# --- rows ------------------------------------------------------------------------------------------------------------


def test_rows_are_functions_of_seed_batch_and_place(pairs):
    model = FaceModel.from_pretrained()
    sampler, other = (PairSampler(pairs, model, PairChanges(), seed) for seed in (0, 1))
    whole = sampler.batch(3, range(6))
    parts = [sampler.batch(3, range(2)), sampler.batch(3, range(2, 6))]
    for name, found in whole.items():
        assert torch.equal(found, torch.cat([part[name] for part in parts]))
    assert not torch.equal(other.batch(3, range(6))["guide"], whole["guide"])
    assert whole["guide"].shape == (6, 3, SIDE, SIDE)
    assert 0 <= float(whole["guide"].min()) <= float(whole["guide"].max()) <= 1
    names = sampler.names(0, range(400))
    assert 0.5 < sum(name.startswith("ann") for name in names) / 400 < 0.68  # root of two to one


def test_a_mirrored_row_is_the_pair_in_a_mirror(pairs):
    sampler = PairSampler(pairs, FaceModel.from_pretrained(), PairChanges(), 0)
    plain, mirrored = (sampler.whole(4, m, PLAIN) for m in (False, True))
    for name in ("reference", "guide", "target"):
        assert (getattr(mirrored, name) == getattr(plain, name)[:, ::-1]).all()
    for name in ("points", "own_points", "guide_points"):
        found, expected = getattr(mirrored, name), getattr(plain, name)[list(MIRROR)]
        torch.testing.assert_close(found[:, 0], SIDE - expected[:, 0])
        torch.testing.assert_close(found[:, 1], expected[:, 1])
    torch.testing.assert_close(mirrored.coefficients[67], -plain.coefficients[67])


def test_a_look_is_the_same_for_all_its_pictures():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    (same,) = PLAIN.of([picture])
    torch.testing.assert_close(same, torch.from_numpy(picture).permute(2, 0, 1) / 255)
    look = Look.drawn(np.random.default_rng(1), PairChanges())
    one, two = look.of([picture, picture.copy()])
    assert torch.equal(one, two)
    assert not torch.allclose(one, same)


def test_patches_of_guide_and_target_lie_on_each_other(pairs):
    sampler = PairSampler(pairs, FaceModel.from_pretrained(), PairChanges(), 0)
    apart = []
    for index in range(len(pairs)):
        patches = cut_patches(sampler.whole(index, index % 2 == 0, PLAIN), default().view)
        apart.append(np.abs(patches.guide.astype(int) - patches.target).mean())
        assert 0.004 < patches.mouth.mean() < 0.2
        rows = np.flatnonzero(patches.mouth.max(1) > 0.5)
        assert 25 < rows[0] <= rows[-1] < 80
    assert np.median(apart) < 5


def test_the_mask_of_a_closed_mouth_is_a_line():
    line = np.stack([np.linspace(20, 76, len(LIPS_INNER)), np.full(len(LIPS_INNER), 40.0)], 1)
    mask = mouth_mask(line, 96)
    assert mask[40, 48] > 0.9
    assert mask[52, 48] < 0.01


# --- the recipe ------------------------------------------------------------------------------------------------------


def settings(**data: object) -> MouthSettings:
    chosen = RECIPE.presets["tiny"]
    return chosen.model_copy(update={"data": chosen.data.model_copy(update=data)})


def test_slices_of_a_batch_average_to_its_loss(corpus):
    task = RECIPE.task(corpus, settings())
    whole, seeds = task.batch(0, range(4)), torch.arange(4)
    together = task.losses(task.module, whole, seeds)["total"]
    apart = [task.losses(task.module, task.batch(0, part), seeds[:2])["total"] for part in (range(2), range(2, 4))]
    torch.testing.assert_close(together, torch.stack(apart).mean())
    assert set(task.names(0, range(40))) == {"ann_0", "ben_0"}


def test_held_out_speakers_are_judged_and_weights_saved(corpus, tmp_path):
    steps: list[tuple[int, int]] = []
    task = RECIPE.task(corpus, settings(hold_out=("ben",)), lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]
    figures = task.validate(task.module)
    assert set(figures) == {f"{f}_{p}" for f in ("psnr", "sharpness") for p in ("guide", "drawn")}
    assert figures["psnr_drawn"] == pytest.approx(figures["psnr_guide"], abs=1e-3)  # untrained
    assert figures["psnr_guide"] > 20
    assert {clip.name for clip in task.clips} == {"ann_0"}
    task.save(task.module, tmp_path / "weights", "made by a test")
    assert isinstance(MouthNetwork.from_pretrained(tmp_path / "weights"), MouthNetwork)
    assert "made by a test" in (tmp_path / "weights" / "README.md").read_text()


def test_what_vgg_sees_is_learnt_and_judged(corpus):
    if state("vgg16-hed") != "complete":
        pytest.skip("not fetched: declaim assets pull vgg16-hed")
    pytest.importorskip("h5py")
    chosen = settings(hold_out=("ben",))
    chosen = chosen.model_copy(
        update={
            "losses": chosen.losses.model_copy(update={"perceptual": 0.3, "around": 1.0}),
            "network": chosen.network.model_copy(update={"patch_px": 48}),
        }
    )
    task = RECIPE.task(corpus, chosen)
    losses = task.losses(task.module, task.batch(0, range(2)), torch.arange(2))
    losses["total"].backward()
    assert float(losses["perceptual"].detach()) > 0
    assert 0 < task.validate(task.module)["perceptual_guide"] < 1


def test_rows_of_patches_are_those_of_the_pairs(pairs):
    sampler = PatchSampler(pairs, FaceModel.from_pretrained(), default().view, PairChanges(), 0)
    batch = sampler.batch(2, range(3))
    assert batch["target"].shape == (3, 3, 96, 96)
    assert batch["mouth"].shape == (3, 96, 96)
    assert torch.equal(batch["guide"][1:], sampler.batch(2, range(1, 3))["guide"])
