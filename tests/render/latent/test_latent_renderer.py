"""Whole frames of the latent renderer; what all renderers keep to is in test_renderer_contract.py."""

import numpy as np
import pytest
import torch

from declaim.errors import CapacityError, ConfigError, DeclaimWarning
from declaim.face.layouts import LIPS_OUTER
from declaim.render.latent import LatentNetworks, LatentRenderer, LatentRendererConfig
from declaim.render.latent.config import LatentConfig, tiny
from declaim.render.latent.renderer import _matched
from declaim.render.mesh import MeshRenderer


@pytest.fixture(scope="module")
def networks() -> LatentNetworks:
    torch.manual_seed(0)
    made = LatentNetworks(tiny())
    torch.nn.init.normal_(made.unet.exit.weight, std=0.3)
    return made.eval()


@pytest.fixture(scope="module")
def lively(motion_of, jaw_open):
    return motion_of(torch.linspace(0, 1, 5)[:, None] * jaw_open)


def drawn(networks, portrait, motion, **settings):
    renderer = LatentRenderer(LatentRendererConfig(**settings), networks=networks)
    return np.concatenate([run.images for run in renderer.render(portrait, motion)])


def mesh(portrait, motion):
    return np.concatenate([run.images for run in MeshRenderer().render(portrait, motion)])


def test_an_untrained_network_shows_the_mesh_renderers_frames_but_for_the_lips(portrait, lively):
    different = (drawn(LatentNetworks(tiny()), portrait, lively) != mesh(portrait, lively)).any((0, 3))
    lips = portrait.landmarks[list(LIPS_OUTER), :2].numpy()
    height = float(np.ptp(portrait.landmarks[:, 1].numpy()))
    rows, columns = np.nonzero(different)
    assert abs(columns.mean() - lips[:, 0].mean()) < 0.1 * height
    assert np.ptp(columns) < np.ptp(lips[:, 0]) + 0.3 * height
    assert rows.min() > lips[:, 1].min() - 0.2 * height


def of_the_head(networks: LatentNetworks) -> LatentNetworks:
    """The same weights, for the head's square."""
    other = LatentNetworks(LatentConfig.model_validate(networks.config.model_dump() | {"view_cm": None}))
    other.load_state_dict(networks.state_dict())
    return other.eval()


@pytest.mark.parametrize("whole", [False, True])
def test_mouth_or_face_alone_are_redrawn(networks, portrait, lively, whole):
    guide = mesh(portrait, lively)
    images = drawn(of_the_head(networks) if whole else networks, portrait, lively)
    different = (images != guide).any((0, 3))
    points = portrait.landmarks[:, :2].numpy()
    lips, height = points[list(LIPS_OUTER)], float(np.ptp(points[:, 1]))
    shown = points if whole else np.concatenate([lips - 0.4 * height, lips + 0.4 * height])
    (left, top), (right, bottom) = shown.min(0) - 60 * whole, shown.max(0) + 60 * whole
    rows, columns = np.nonzero(different)
    assert left < columns.min()
    assert columns.max() < right
    assert top < rows.min()
    assert rows.max() < bottom
    assert np.ptp(columns) > (0.8 if whole else 0.4) * np.ptp(points[:, 0])


def test_pictures_do_not_depend_on_runs_or_batches(networks, portrait, lively):
    whole = drawn(networks, portrait, lively)
    assert (drawn(networks, portrait, lively, frames_per_run=2) == whole).all()
    apart = np.abs(drawn(networks, portrait, lively, batch=3).astype(int) - whole)
    assert apart.max() <= 1  # products of other sizes are rounded otherwise
    assert (drawn(networks, portrait, lively, seed=1) != whole).any()
    rough = np.abs(drawn(networks, portrait, lively, precision="bfloat16").astype(int) - whole)
    assert 0 < rough.max() < 30
    assert rough.mean() < 0.1
    carried = drawn(networks, portrait, lively, carry=0.5)
    assert (drawn(networks, portrait, lively, carry=0.5, frames_per_run=2, batch=3) == carried).all()
    assert (carried[0] == whole[0]).all()
    assert (carried[1:] != whole[1:]).any()


def test_the_shipped_weights_change_the_mouth_and_nothing_else(portrait, lively):
    guide = mesh(portrait, lively).astype(int)
    images = np.concatenate([run.images for run in LatentRenderer.from_pretrained().render(portrait, lively)])
    different = (images != guide).any((0, 3))
    lips = portrait.landmarks[list(LIPS_OUTER), :2].numpy()
    height = float(np.ptp(portrait.landmarks[:, 1].numpy()))
    (left, top), (right, bottom) = lips.min(0) - 0.15 * height, lips.max(0) + 0.35 * height
    rows, columns = np.nonzero(different)
    assert left < columns.min()
    assert columns.max() < right
    assert top < rows.min()
    assert rows.max() < bottom
    assert 0.5 < np.abs(images - guide)[:, different].mean() < 40


def test_a_batch_that_does_not_fit_is_halved(networks, portrait, lively, monkeypatch):
    whole, draw, tried = drawn(networks, portrait, lively), networks.unet.forward, []

    def cramped(latent, *others):
        tried.append(len(latent))
        if len(latent) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return draw(latent, *others)

    monkeypatch.setattr(networks.unet, "forward", cramped)
    with pytest.warns(DeclaimWarning, match="frames at once do not fit") as told:
        images = drawn(networks, portrait, lively, batch=4)
    assert (images == whole).all()
    assert [str(w.message) for w in told] == [
        "4 frames at once do not fit into memory; going on with 2",
        "2 frames at once do not fit into memory; going on with 1",
    ]
    assert set(tried[2:]) == {1}
    monkeypatch.setattr(networks.unet, "forward", lambda *_: torch.zeros(1).view(2))
    with pytest.raises(RuntimeError, match="shape"):
        drawn(networks, portrait, lively)


def test_one_frame_that_does_not_fit_is_an_error(networks, portrait, lively, monkeypatch):
    def cramped(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(networks.unet, "forward", cramped)
    with pytest.raises(CapacityError, match="one frame"):
        drawn(networks, portrait, lively)


def test_settings_change_the_weights_process(networks, portrait, lively, monkeypatch):
    whole = drawn(networks, portrait, lively)
    assert (drawn(networks, portrait, lively, start=20, sampling_steps=2) == whole).all()
    assert (drawn(networks, portrait, lively, start=40, sampling_steps=3) != whole).any()
    guide = mesh(portrait, lively).astype(int)
    half = drawn(networks, portrait, lively, strength=0.5).astype(int) - guide
    assert 0.4 < np.abs(half).sum() / np.abs(whole - guide).sum() < 0.6
    with pytest.raises(ConfigError, match="less than diffusion_steps"):
        drawn(networks, portrait, lively, start=50)


def test_the_papers_form_draws_from_noise_without_a_guide(portrait, lively):
    torch.manual_seed(0)
    config = tiny().model_dump()
    config |= {"unet": {**config["unet"], "guide": False}, "start": None, "detail": False}
    unguided = LatentNetworks(LatentConfig.model_validate(config))
    assert (drawn(unguided, portrait, lively) != mesh(portrait, lively)).any()


def test_squares_are_brought_to_the_guides_colour():
    mask = np.full((1, 16, 16), 0.5, np.float32)
    guide = np.full((1, 16, 16, 3), 100, np.float32)
    square = np.full((1, 16, 16, 3), 90.0, np.float32)
    square[..., 0] = 120
    np.testing.assert_allclose(_matched(square, guide, mask), 100, rtol=1e-5)
