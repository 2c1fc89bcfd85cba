"""What every registered renderer keeps to."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from declaim.errors import ConfigError
from declaim.registry import RENDERERS, registered, resolve
from declaim.render.latent import LatentNetworks, LatentRenderer, LatentRendererConfig
from declaim.render.latent.config import tiny
from declaim.render.mouth import MouthNetwork, MouthRenderer, MouthRendererConfig
from declaim.render.mouth.config import tiny as tiny_mouth
from declaim.render.portrait import load_portrait
from declaim.types import Motion, Portrait


def untrained_latent_renderer() -> LatentRenderer:
    """Its weights need not ship: drawn at random, they keep to the contract as well."""
    torch.manual_seed(0)
    networks = LatentNetworks(tiny())
    torch.nn.init.normal_(networks.unet.exit.weight, std=0.1)
    return LatentRenderer(LatentRendererConfig(frames_per_run=7), networks=networks)


def untrained_mouth_renderer() -> MouthRenderer:
    """Likewise."""
    torch.manual_seed(0)
    network = MouthNetwork(tiny_mouth())
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    return MouthRenderer(MouthRendererConfig(frames_per_run=7, own_teeth=None), network=network)


UNTRAINED = {"latent": untrained_latent_renderer, "mouth, untrained": untrained_mouth_renderer}


@pytest.fixture(params=sorted({*registered(RENDERERS, kind="renderer"), *UNTRAINED}))
def renderer(request: pytest.FixtureRequest) -> Any:
    if request.param in UNTRAINED:
        return UNTRAINED[request.param]()
    return resolve(RENDERERS, request.param, kind="renderer")()


@pytest.fixture(scope="module")
def lively(motion_of, jaw_open: torch.Tensor) -> Motion:
    """Thirty frames of a mouth that opens while the head turns and comes nearer."""
    share = torch.linspace(0, 1, 30)[:, None]
    still = motion_of(share * jaw_open)
    return still.replace(
        rotation=share * torch.tensor([[0.1, 0.2, 0.0]]), translation=share * torch.tensor([[1, 0, 5]])
    )


def drawn(renderer: Any, portrait: Portrait, motion: Motion, *options: str) -> np.ndarray:
    return np.concatenate([run.images for run in renderer.render(portrait, motion, *options)])


def test_as_many_pictures_as_the_motion_has_frames_each_of_the_portraits_size(renderer, portrait, lively) -> None:
    runs = list(renderer.render(portrait, lively))
    assert sum(len(run) for run in runs) == len(lively)
    assert len(runs) > 1  # in runs: memory does not grow with the clip
    assert all(run.images.shape[1:] == portrait.image.shape and run.images.dtype == np.uint8 for run in runs)
    assert {run.fps for run in runs} == {lively.fps}


def test_pictures_move_and_come_out_the_same_again(renderer, portrait, lively) -> None:
    short = lively.frames(20, 26)
    once = drawn(renderer, portrait, short)
    assert (once[0] != once[-1]).any()
    assert (drawn(renderer, portrait, short) == once).all()


def test_the_first_frames_pose_is_the_portraits_if_it_is_the_anchor(renderer, portrait, lively, motion_of) -> None:
    turned = lively.replace(rotation=lively["rotation"] + 0.3).frames(0, 2)
    still = motion_of(turned["expression"][0])
    assert (drawn(renderer, portrait, turned, "first")[0] == drawn(renderer, portrait, still, "first")[0]).all()
    assert (drawn(renderer, portrait, turned, "rest")[0] != drawn(renderer, portrait, still, "rest")[0]).any()


def test_no_frames_no_pictures(renderer, portrait, lively) -> None:
    assert list(renderer.render(portrait, lively.frames(0, 0), "first")) == []


def test_a_batch_is_refused(renderer, portrait, lively) -> None:
    with pytest.raises(ConfigError, match="batch"):
        next(renderer.render(portrait, Motion(lively.values[None], lively.layout)))


def test_wild_motion_gives_pictures(renderer, portrait, motion_of) -> None:
    wild = motion_of(torch.randn(3, 64, generator=torch.Generator().manual_seed(0)) * 6, (1.5, 1.0, -2.0))
    wild = wild.replace(translation=torch.tensor([[40.0, 0, 60], [0, 0, -500], [-300, 300, 0]]))
    assert drawn(renderer, portrait, wild).shape == (3, *portrait.image.shape)


@pytest.mark.parametrize("where", ["small", "at the border"])
def test_small_portraits_and_faces_at_the_border(
    renderer, portrait, photograph, lively, model, tracker, where: str
) -> None:
    left, top = portrait.landmarks[:, :2].amin(0).int().tolist()
    right, bottom = portrait.landmarks[:, :2].amax(0).int().tolist()
    if where == "small":
        height = bottom - top
        head = photograph[max(top - height, 0) : bottom + height, max(left - height, 0) : right + height]
        picture = cv2.resize(head, None, fx=68 / height, fy=68 / height, interpolation=cv2.INTER_AREA)
    else:
        picture = np.ascontiguousarray(photograph[max(top - 60, 0) : bottom + 4, left - 40 : right + 4])
    found = load_portrait(picture, model=model, tracker=tracker)
    images = drawn(renderer, found, lively.frames(20, 24))
    assert images.shape == (4, *picture.shape)
    assert (images[0] != images[-1]).any()
