"""Recipes of the frame stage: autoencoder, then renderer."""

from pathlib import Path

import pytest
import torch

from declaim.assets import state
from declaim.data.corpus import Corpus
from declaim.errors import ConfigError
from declaim.recipes import pair_making
from declaim.recipes.latent_autoencoder import RECIPE as AUTOENCODER
from declaim.recipes.latent_autoencoder import AutoencoderTask
from declaim.recipes.latent_renderer import RECIPE as RENDERER
from declaim.recipes.latent_renderer import LatentObjective, LatentTask
from declaim.render.latent import LatentNetworks
from declaim.render.latent.config import tiny
from declaim.render.latent.networks import load_autoencoder

from .pictures import write_picture_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    if state("face-landmarker") != "complete":
        pytest.skip("not fetched: declaim assets pull face-landmarker")
    return Corpus(write_picture_corpus(tmp_path_factory.mktemp("pictures") / "corpus"))


@pytest.fixture(autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs are kept in a folder of the tests' own."""
    folder = tmp_path_factory.getbasetemp() / "kept"
    monkeypatch.setattr(pair_making, "cache_folder", lambda: folder)


@pytest.fixture
def autoencoder_task(corpus: Corpus) -> AutoencoderTask:
    torch.manual_seed(0)
    settings = AUTOENCODER.presets["tiny"]
    held = settings.data.model_copy(update={"hold_out": ("ben",)})
    return AUTOENCODER.task(corpus, settings.model_copy(update={"data": held}))


@pytest.fixture
def autoencoder(autoencoder_task: AutoencoderTask, tmp_path: Path) -> Path:
    autoencoder_task.save(autoencoder_task.module, tmp_path / "autoencoder", "made by a test")
    return tmp_path / "autoencoder"


def renderer_task(
    corpus: Corpus, folder: Path, preset: str = "tiny", objective: LatentObjective | None = None, **network: object
) -> LatentTask:
    """Of a preset, at the tiny one's sizes."""
    torch.manual_seed(0)
    small, wanted = RENDERER.presets["tiny"], RENDERER.presets[preset].network
    unet = small.network.unet.model_copy(update={"guide": wanted.unet.guide, "conditions": wanted.unet.conditions})
    own = {
        "unet": unet,
        "detail": wanted.detail,
        "start": small.network.start if wanted.unet.guide else None,
    } | network
    data = small.data.model_copy(update={"hold_out": ("ben",), "autoencoder": str(folder)})
    wished = {"data": data, "network": small.network.model_copy(update=own)}
    return RENDERER.task(corpus, small.model_copy(update=wished | {"objective": objective or small.objective}))


def rows_do_not_know_of_each_other(task: AutoencoderTask | LatentTask) -> None:
    whole, seeds = task.batch(3, range(4)), torch.arange(4)
    parts = [task.batch(3, range(2)), task.batch(3, range(2, 4))]
    for name, rows in whole.items():
        assert torch.equal(rows, torch.cat([part[name] for part in parts]))
    together = task.losses(task.module, whole, seeds)["total"]
    apart = [task.losses(task.module, part, s)["total"] for part, s in zip(parts, (seeds[:2], seeds[2:]), strict=True)]
    torch.testing.assert_close(together, torch.stack(apart).mean())
    assert all(name.split("_")[0] == "ann" for name in task.names(3, range(4)))


def learns(task: AutoencoderTask | LatentTask, steps: int, rate: float) -> list[float]:
    batch, seeds, losses = task.batch(0, range(4)), torch.arange(4), []
    learnt = [p for p in task.module.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learnt, rate)
    for _ in range(steps):
        loss = task.losses(task.module, batch, seeds)["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_autoencoder_rows(autoencoder_task):
    rows_do_not_know_of_each_other(autoencoder_task)
    batch = autoencoder_task.batch(0, range(2))
    assert batch["first"].shape == batch["second"].shape == (2, 3, 32, 32)
    assert batch["first"].abs().max() <= 1


def test_autoencoder_learns_a_batch_by_heart_and_is_judged(autoencoder_task, autoencoder):
    losses = learns(autoencoder_task, 40, 1e-2)
    assert losses[-1] < 0.5 * losses[0]
    found = autoencoder_task.validate(autoencoder_task.module)
    assert found["psnr"] > 10
    assert -1 < found["ssim"] < 1
    assert "made by a test" in (autoencoder / "README.md").read_text()
    assert float(load_autoencoder(autoencoder).latent_std.min()) > 0


@pytest.mark.parametrize("view_cm", [10.0, None])
def test_renderer_rows(corpus, autoencoder, view_cm):
    task = renderer_task(corpus, autoencoder, view_cm=view_cm)
    rows_do_not_know_of_each_other(task)
    batch = task.batch(0, range(4))
    assert batch["target"].shape == batch["guide"].shape == batch["portrait"].shape == (4, 3, 64, 64)
    mouth, lips, shown = (float(batch[name].mean()) for name in ("mouth", "lips", "shown"))
    assert 0 < mouth < shown
    assert 0 < lips < shown < 1


def test_some_rows_are_the_portrait_itself(corpus, autoencoder):
    task = renderer_task(corpus, autoencoder)
    batch = task.batch(0, range(64))
    same = [torch.equal(a, b) for a, b in zip(batch["guide"], batch["target"], strict=True)]
    assert 1 <= sum(same) <= 16
    for row, own in enumerate(same):
        if own:
            assert torch.equal(batch["coefficients"][row], batch["own"][row])


def test_renderer_learns_a_batch_by_heart_and_leaves_the_autoencoder_alone(corpus, autoencoder, tmp_path):
    # a trained autoencoder is needed for pictures to become better
    task = renderer_task(corpus, autoencoder, objective=LatentObjective(latent=1.0, colour=0.0, perceptual=0.0))
    before = {name: p.clone() for name, p in task.module.autoencoder.state_dict().items()}
    untrained = task.validate(task.module)
    assert untrained["latent"] == pytest.approx(untrained["guide_latent"])
    losses = learns(task, 80, 1e-2)
    assert losses[-1] < 0.6 * losses[0]
    for name, p in task.module.autoencoder.state_dict().items():
        assert torch.equal(p, before[name])
    task.save(task.module, tmp_path / "weights", "made by a test")
    read = LatentNetworks.from_pretrained(tmp_path / "weights")
    assert read.config == tiny()
    assert "guided by the mesh renderer" in (tmp_path / "weights" / "README.md").read_text()


@pytest.mark.parametrize("view_cm", [10.0, None])
def test_an_untrained_renderer_is_as_good_as_its_guide(corpus, autoencoder, view_cm):
    task = renderer_task(corpus, autoencoder, view_cm=view_cm)
    found = task.validate(task.module)
    assert found["psnr_drawn"] == pytest.approx(found["psnr_unchanged"], abs=1e-3)
    assert found["latent"] == pytest.approx(found["guide_latent"], rel=1e-4)
    assert found["psnr_guide"] > 20


def test_what_vgg_sees_is_learnt_and_judged(corpus, autoencoder):
    if state("vgg16-hed") != "complete":
        pytest.skip("not fetched: declaim assets pull vgg16-hed")
    pytest.importorskip("h5py")
    objective = LatentObjective(perceptual=1.0, around=1.0)
    task = renderer_task(corpus, autoencoder, objective=objective)
    found = task.losses(task.module, task.batch(0, range(2)), torch.arange(2))
    torch.testing.assert_close(found["total"], found["latent"] + found["colour"] + found["perceptual"])
    found["total"].backward()
    assert float(task.module.unet.exit.weight.grad.abs().max()) > 0
    assert 0 < task.validate(task.module)["perceptual_guide"] < 1


@pytest.mark.parametrize("preset", ["ablation-concat", "ablation-no-guide", "ablation-concat-no-guide"])
def test_ablations_can_be_trained(corpus, autoencoder, preset):
    task = renderer_task(corpus, autoencoder, preset)
    losses = learns(task, 30, 1e-2)
    assert losses[-1] < losses[0]
    assert "latent" in task.validate(task.module)


def test_an_autoencoder_must_be_named(corpus):
    with pytest.raises(ConfigError, match="declaim train latent-autoencoder"):
        RENDERER.task(corpus, RENDERER.presets["default"])
