"""The mouth's network untrained, trained a little, saved; its patches; the renderer around it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from declaim.errors import AssetError, CheckpointError, ConfigError
from declaim.face.layouts import LIPS_INNER, LIPS_INNER_LOWER, LIPS_INNER_UPPER
from declaim.render.mesh import MeshRenderer
from declaim.render.mouth import MouthNetwork, MouthNetworkConfig, MouthRenderer, MouthRendererConfig
from declaim.render.mouth import network as network_module
from declaim.render.mouth.config import default, tiny
from declaim.render.mouth.objective import colour_loss, perceptual_loss
from declaim.types import Motion, Portrait

SIDE = 32


def random_network(config: MouthNetworkConfig | None = None) -> MouthNetwork:
    """One that changes something."""
    torch.manual_seed(0)
    network = MouthNetwork(config or tiny())
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def rows(n: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    patches = {name: torch.rand(n, 3, SIDE, SIDE, generator=generator) for name in ("guide", "portrait")}
    return patches | {name: torch.randn(n, 70, generator=generator) for name in ("coefficients", "own")}


@pytest.mark.parametrize("config", [tiny(), default()])
def test_untrained_it_gives_the_guide_back(config):
    network = MouthNetwork(config)
    guide, told = torch.rand(2, 3, config.patch_px, config.patch_px), torch.randn(2, 70)
    assert torch.equal(network(guide, torch.rand_like(guide), told, told), guide)


def test_the_default_is_small():
    assert sum(p.numel() for p in MouthNetwork(default()).parameters()) < 2e6


def test_the_patchs_edge_stays():
    batch = rows()
    drawn = random_network()(**batch).detach()
    changed = (drawn - batch["guide"]).abs().amax((0, 1))
    assert changed.max() > 1e-3
    assert float(torch.cat([changed[0], changed[-1], changed[:, 0], changed[:, -1]]).max()) == 0


def test_everything_that_it_is_told_matters_but_what_lies_too_far_out():
    network, batch = random_network(), rows()
    drawn = network(**batch)
    for name in ("portrait", "coefficients", "own"):
        assert not torch.allclose(network(**batch | {name: batch[name].flip(0)}), drawn)
    far, farther = (torch.full((4, 70), v) for v in (1e3, 1e6))
    assert torch.equal(
        network(**batch | {"coefficients": far, "own": -far}), network(**batch | {"coefficients": farther, "own": -far})
    )


def test_one_batch_is_learnt_by_heart():
    torch.manual_seed(0)
    network, batch = MouthNetwork(tiny()), rows()
    target = batch["guide"].clone()
    target[:, :, 12:20, 8:24] = batch["portrait"][:, :, 12:20, 8:24]
    weights = torch.ones(4, SIDE, SIDE)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    first = last = 0.0
    for step in range(100):
        loss = colour_loss(network(**batch), target, weights).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (float(loss.detach()) if step == 0 else first), float(loss.detach())
    assert last < 0.6 * first


def test_saved_and_read_again_and_strictly(tmp_path: Path):
    network = random_network()
    network.save_pretrained(tmp_path / "weights", "made by a test")
    read = MouthNetwork.from_pretrained(tmp_path / "weights")
    assert read.config == network.config
    torch.testing.assert_close(read(**rows()), network(**rows()), atol=2e-2, rtol=0)
    assert "made by a test" in (tmp_path / "weights" / "README.md").read_text()
    text = (tmp_path / "weights" / "config.json").read_text()
    (tmp_path / "weights" / "config.json").write_text(text.replace('"told": 8', '"told": 16'))
    with pytest.raises(CheckpointError, match="do not fit"):
        MouthNetwork.from_pretrained(tmp_path / "weights")
    (tmp_path / "weights" / "config.json").write_text(text.replace('"told": 8', '"told": 8, "more": 1'))
    with pytest.raises(CheckpointError, match="cannot read"):
        MouthNetwork.from_pretrained(tmp_path / "weights")


def test_without_weights_it_says_how_to_get_some(monkeypatch):
    def nothing(name: str) -> Path:
        raise AssetError(name)

    monkeypatch.setattr(network_module, "shipped", nothing)
    with pytest.raises(AssetError, match="declaim train mouth-renderer"):
        MouthNetwork.from_pretrained()


# --- losses ----------------------------------------------------------------------------------------------------------


def test_colours_count_where_the_weights_say_so():
    patches, target = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    target[0, :, :4], target[1, :, 4:] = 0.5, 0.5
    weights = torch.zeros(2, 8, 8)
    weights[:, :4] = 2.0
    torch.testing.assert_close(colour_loss(patches, target, weights), torch.tensor([0.5, 0.0]))


def test_the_perceptual_loss_reads_pictures_between_minus_one_and_one():
    seen: list[torch.Tensor] = []

    def maps(pictures: torch.Tensor) -> list[torch.Tensor]:
        seen.append(pictures)
        return [pictures, pictures[:, :1]]

    ones = torch.ones(2, 3, 8, 8)
    loss = perceptual_loss(torch.stack([ones[0], 0 * ones[0]]), ones, maps)
    torch.testing.assert_close(loss, torch.tensor([0.0, 2.0]))
    assert (float(seen[0].min()), float(seen[0].max())) == (-1, 1)


# --- the renderer ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def renderer(model: Any) -> MouthRenderer:
    return MouthRenderer(MouthRendererConfig(own_teeth=None), model, random_network())


@pytest.fixture(scope="module")
def lively(motion_of, jaw_open: torch.Tensor) -> Motion:
    share = torch.linspace(0, 1, 8)[:, None]
    return motion_of(share * jaw_open).replace(rotation=share * torch.tensor([[0.1, 0.2, 0.1]]))


def drawn(renderer: Any, portrait: Portrait, motion: Motion, *options: str) -> np.ndarray:
    return np.concatenate([run.images for run in renderer.render(portrait, motion, *options)])


def test_untrained_it_is_the_mesh_renderer(portrait, lively, model):
    plain = MouthRenderer(model=model, network=MouthNetwork(tiny()))
    assert (drawn(plain, portrait, lively) == drawn(MeshRenderer(model=model), portrait, lively)).all()


def test_only_the_mouths_region_differs_from_the_mesh_renderer(portrait, lively, model, renderer):
    frames, mesh = drawn(renderer, portrait, lively), drawn(MeshRenderer(model=model), portrait, lively)
    changed = (frames != mesh).any((0, 3))
    lips = portrait.landmarks[list(LIPS_INNER), :2]
    width = float(lips[:, 0].max() - lips[:, 0].min())
    rows_, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    middle = lips.mean(0)
    assert changed.any()
    assert abs((columns[0] + columns[-1]) / 2 - float(middle[0])) < width
    assert columns[-1] - columns[0] < 4 * width
    assert rows_[-1] - rows_[0] < 4 * width


def test_a_portrait_keeps_the_teeth_that_it_shows(portrait, lively, model, renderer):
    mesh = drawn(MeshRenderer(model=model), portrait, lively)
    smiling = MouthRenderer(model=model, network=renderer.network)
    assert (drawn(smiling, portrait, lively) == mesh).all()
    lips, gap = portrait.landmarks.clone(), list(LIPS_INNER_LOWER[1:-1])
    lips[gap] = lips[list(LIPS_INNER_UPPER[1:-1])]
    shut = drawn(smiling, replace(portrait, landmarks=lips), lively)
    assert (shut != drawn(MeshRenderer(model=model), replace(portrait, landmarks=lips), lively)).any()


def test_pictures_do_not_depend_on_the_length_of_the_runs(portrait, lively, model, renderer):
    short = MouthRenderer(MouthRendererConfig(frames_per_run=3, own_teeth=None), model, renderer.network)
    assert (drawn(short, portrait, lively) == drawn(renderer, portrait, lively)).all()
    assert (drawn(renderer, portrait, lively) == drawn(renderer, portrait, lively)).all()


def test_no_frames_batches_and_wild_motion(portrait, lively, motion_of, renderer):
    assert list(renderer.render(portrait, lively.frames(0, 0), "first")) == []
    with pytest.raises(ConfigError, match="batch"):
        next(renderer.render(portrait, Motion(lively.values[None], lively.layout)))
    wild = motion_of(torch.randn(4, 64, generator=torch.Generator().manual_seed(0)) * 6, (1.5, 1.0, -2.0))
    far = torch.tensor([[40.0, 0, 60], [0, 0, -500], [-300, 300, 0], [0, 0, -5e4]])
    assert drawn(renderer, portrait, wild.replace(translation=far)).shape == (4, *portrait.image.shape)
