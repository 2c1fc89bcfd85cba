"""DiffPoseTalk's losses against their definitions."""

import pytest
import torch
from torch.nn import functional

from declaim.face.head3d import Head3D
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.methods.diffposetalk import LossConfig
from declaim.methods.diffposetalk.objective import (
    head_losses,
    motion_losses,
    nt_xent,
    total,
    transition_loss,
    vertex_losses,
)
from declaim.motion.normalizer import Normalizer
from declaim.recipes.diffposetalk import vertex_factor

PREFIX = 4


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seen(rows, frames):
    return torch.ones(rows, frames, dtype=torch.bool)


def test_vertex_losses_are_mean_squares_of_points_and_head_in_metres():
    model, head = FaceModel.from_pretrained(), Head3D.from_pretrained()
    b, estimate = 0.3 * drawn(2, 9, 64), 0.3 * drawn(2, 9, 64, seed=1)
    losses = vertex_losses(b, estimate, seen(2, 9), vertex_factor(model, head))
    linear = (head.arkit_slopes @ head.units.flatten(1)).unflatten(1, head.rest.shape)

    def both(size):
        points = [model.offsets(values) / 100 for values in (b, estimate)]
        vertices = [torch.einsum("bfe,evc->bfvc", values, linear) / 100 for values in (b, estimate)]
        return (size(*points) + size(*vertices)) / 2

    expected = {
        "vertex": both(lambda true, made: (true - made).square().mean()),
        "vertex_velocity": both(lambda true, made: (true - made).diff(dim=1).square().mean()),
        "vertex_smoothness": both(lambda true, made: made.diff(n=2, dim=1).square().mean()),
    }
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-3, atol=1e-10)


def test_head_losses_are_mean_squares_of_differences():
    pose, estimate = drawn(2, 9, 6), drawn(2, 9, 6, seed=1)
    losses = head_losses(pose, estimate, seen(2, 9))
    torch.testing.assert_close(losses["head_angle"], (pose - estimate).square().mean())
    torch.testing.assert_close(losses["head_velocity"], (pose - estimate).diff(dim=1).square().mean())
    torch.testing.assert_close(losses["head_smoothness"], estimate.diff(n=2, dim=1).square().mean())


def test_a_seam_crossed_in_a_straight_line_costs_nothing():
    line = torch.arange(12.0)[None, :, None].expand(1, 12, 6)
    assert float(transition_loss(line, line, seen(1, 12), PREFIX)) == 0.0
    jump = line + (torch.arange(12) >= PREFIX)[None, :, None]
    # second differences 1, -1 at the seam; third differences 1, -2, 1
    assert float(transition_loss(line, jump, seen(1, 12), PREFIX)) == pytest.approx(1.0 + 6.0 / 3.0)
    early = jump.clone()
    early[:, :PREFIX] = 100.0  # what is estimated of the previous frames does not matter
    assert float(transition_loss(line, early, seen(1, 12), PREFIX)) == pytest.approx(3.0)
    assert float(transition_loss(line, jump, ~seen(1, 12), PREFIX)) == 0.0


def test_with_two_codes_of_everybody_nt_xent_is_simclrs():
    codes, temperature = drawn(10, 6).double(), 0.1
    people = torch.arange(5).repeat(2)
    unit = functional.normalize(codes, dim=1)
    expected = []
    for i in range(10):
        pair = (i + 5) % 10
        others = torch.tensor([float(unit[i] @ unit[j]) for j in range(10) if j != i]) / temperature
        expected.append(others.logsumexp(0) - unit[i] @ unit[pair] / temperature)
    torch.testing.assert_close(nt_xent(codes, people, temperature), torch.stack(expected).mean(), rtol=1e-6, atol=1e-6)


def test_nobody_is_told_apart_from_himself():
    codes = drawn(3, 6)
    assert float(nt_xent(codes, torch.zeros(3, dtype=torch.int64), 0.1)) == pytest.approx(0.0)
    assert float(nt_xent(codes, torch.arange(3), 0.1)) == 0.0
    same = torch.stack([codes[0], codes[0], codes[1], codes[1]])
    apart, mixed = nt_xent(same, torch.tensor([0, 0, 1, 1]), 0.1), nt_xent(same, torch.tensor([0, 1, 0, 1]), 0.1)
    assert float(apart) < 1.0 < float(mixed)


def test_the_total_is_the_weighted_sum_and_no_loss_is_forgotten():
    weights = LossConfig()
    target, estimate = drawn(2, 12, FACE64.dim), drawn(2, 12, FACE64.dim, seed=1)
    losses = motion_losses(
        target, estimate, seen(2, 12), seen(2, 12), first=torch.tensor([True, False]), prefix=PREFIX,
        units=Normalizer.identity(8, FACE64.dim), vertices=0.01 * drawn(64, 5), closure=weights.closure,
    )  # fmt: skip
    assert set(losses) == set(LossConfig.model_fields) - {"closure"}
    expected = sum(float(value) * getattr(weights, name) for name, value in losses.items())
    assert float(total(losses, weights)) == pytest.approx(expected, rel=1e-5)


def test_only_windows_that_go_on_have_a_seam():
    target, estimate = drawn(1, 12, FACE64.dim), drawn(1, 12, FACE64.dim, seed=1)
    found = [
        motion_losses(
            target, estimate, seen(1, 12), seen(1, 12), first=torch.tensor([first]), prefix=PREFIX,
            units=Normalizer.identity(8, FACE64.dim), vertices=None, closure=0.0,
        )["transition"]
        for first in (True, False)
    ]  # fmt: skip
    assert float(found[0]) == 0.0 < float(found[1])
