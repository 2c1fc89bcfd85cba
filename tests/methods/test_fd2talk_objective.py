import pytest
import torch

from declaim.methods.fd2talk import FD2Talk, Normalizer, paper, tiny
from declaim.methods.fd2talk.objective import (
    LEAST_AGREEMENT,
    agreement,
    expression_loss,
    first_stage_losses,
    pose_loss,
    sync_loss,
)
from declaim.sync import SyncExpert
from declaim.sync.config import tiny as tiny_expert


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x0, estimate = (torch.randn(3, 12, 70, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.ones(3, 12, dtype=torch.bool)
    mask[2, 8:] = False
    return x0, estimate, mask


def double(normalizer):
    tensors = {name: value.double() for name, value in vars(normalizer).items() if name != "eyes"}
    return Normalizer(**tensors, eyes=normalizer.eyes)


def test_equations_8_and_9_are_mean_squares_over_the_frames_that_count():
    x0, estimate, mask = batch()
    for loss, columns in ((expression_loss, slice(0, 64)), (pose_loss, slice(64, 70))):
        error = (x0[..., columns] - estimate[..., columns]).square()
        expected = torch.stack([row[kept].mean() for row, kept in zip(error, mask, strict=True)]).mean()
        torch.testing.assert_close(loss(x0[..., columns], estimate[..., columns], mask), expected)


def test_equation_12_is_the_weighted_sum():
    x0, estimate, mask = batch(1)
    units = double(Normalizer.identity(6, 70))
    losses = first_stage_losses(x0, estimate, mask, mask, config=paper(), normalizer=units)
    expected = losses["expression"] + paper().pose_weight * losses["pose"]  # and the sync loss: see below
    torch.testing.assert_close(losses["total"], expected)
    ours = first_stage_losses(x0, estimate, mask, mask, config=tiny(), normalizer=units)
    assert float(ours["total"]) > float(expected)
    perfect = first_stage_losses(x0, x0, mask, mask, config=tiny(), normalizer=units)
    assert float(perfect["total"]) == 0.0


def test_still_speakers_do_not_teach_pose():
    x0, estimate, mask = batch(2)
    units = double(Normalizer.identity(6, 70))
    nobody = torch.zeros_like(mask)
    losses = first_stage_losses(x0, estimate, mask, nobody, config=tiny(), normalizer=units)
    assert float(losses["pose"]) == 0.0
    assert float(losses["expression"]) > 0.0


def test_closed_lips_weigh_more():
    units = double(Normalizer.identity(6, 70))
    x0 = torch.zeros(1, 10, 70, dtype=torch.float64)
    x0[0, :, 0] = torch.arange(10)
    mask = torch.ones(1, 10, dtype=torch.bool)
    errors = {}
    for frame in (0, 9):
        estimate = x0.clone()
        estimate[0, frame, 0] += 1.0
        losses = first_stage_losses(x0, estimate, mask, mask, config=tiny(), normalizer=units)
        errors[frame] = float(losses["opening"])
    assert errors[0] == pytest.approx((1 + tiny().closure_weight) * errors[9])


def test_slices_of_a_batch_average_to_the_whole():
    torch.manual_seed(0)
    method = FD2Talk(tiny()).train()
    motion, heard, mask = torch.randn(4, 20, 70), torch.randn(4, 20, 772), torch.rand(4, 20) > 0.3
    mask[3] = False  # a row without a single frame that counts
    seeds = torch.tensor([5, 6, 7, 8])
    whole = method.loss(heard, motion, mask, mask, seeds)
    halves = [method.loss(*(t[rows] for t in (heard, motion, mask, mask, seeds))) for rows in ([0, 1], [2, 3])]
    for name, value in whole.items():
        torch.testing.assert_close(value, (halves[0][name] + halves[1][name]) / 2)
    again = method.loss(heard[[2, 0]], motion[[2, 0]], mask[[2, 0]], seeds=seeds[[2, 0]])
    swapped = method.loss(heard[[0, 2]], motion[[0, 2]], mask[[0, 2]], seeds=seeds[[0, 2]])
    torch.testing.assert_close(again["total"], swapped["total"])
    other = method.loss(heard, motion, mask, mask, seeds + 10)
    assert not torch.allclose(other["total"], whole["total"], rtol=1e-3)


def test_loss_is_computed_where_the_batch_is():
    """The meta device holds no numbers, but like every device it refuses tensors that stayed behind on the CPU."""
    method = FD2Talk(tiny()).train().to("meta")
    heard, motion = (torch.zeros(2, 20, size, device="meta") for size in (772, 70))
    losses = method.loss(heard, motion, torch.ones(2, 20, dtype=torch.bool, device="meta"))
    assert losses["total"].device.type == "meta"


def test_equation_10_is_the_cosine_and_nothing_agrees_with_nothing():
    v, a = torch.randn(2, 5, 8, dtype=torch.float64), torch.randn(2, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(agreement(v, a), torch.nn.functional.cosine_similarity(v, a, dim=-1))
    torch.testing.assert_close(agreement(3 * v, 0.1 * v), torch.ones(2, 5, dtype=torch.float64))
    assert torch.equal(agreement(torch.zeros(1, 8), torch.zeros(1, 8)), torch.zeros(1))


def test_equation_11_is_minus_the_logarithm_where_it_has_one():
    p_sync = torch.tensor([[0.5, 0.25, 1.0, 0.9], [0.125, -0.7, 0.0, 0.3]], requires_grad=True)
    counts = torch.tensor([[True, True, False, False], [True, True, False, False]])
    loss = sync_loss(p_sync, counts)
    logs = -torch.tensor([0.5, 0.25, 0.125, LEAST_AGREEMENT]).log()
    torch.testing.assert_close(loss, logs.mean())
    loss.backward()
    expected = [[-1 / 0.5 / 4, -1 / 0.25 / 4, 0.0, 0.0], [-1 / 0.125 / 4, 0.0, 0.0, 0.0]]
    torch.testing.assert_close(p_sync.grad, torch.tensor(expected))


@pytest.fixture
def expert():
    torch.manual_seed(3)
    return SyncExpert(tiny_expert(772)).eval().requires_grad_(False)


def test_the_expert_judges_motion_in_its_own_units(expert):
    units = Normalizer.identity(772, 70)
    units = Normalizer(**{**vars(units), "motion_mean": torch.randn(70), "motion_std": 1 + torch.rand(70)})
    config = tiny().model_copy(update={"sync_weight": 0.5})
    heard, values = torch.randn(2, 20, 772), torch.randn(2, 20, 70)
    mask = torch.ones(2, 20, dtype=torch.bool)
    mask[1, 15:] = False
    normal, wanted = units.normal_motion(values), units.normal_motion(torch.randn(2, 20, 70))
    losses = first_stage_losses(
        wanted, normal, mask, mask, config=config, normalizer=units, expert=expert, speech=heard
    )
    p_sync = agreement(expert.embed_motion(values), expert.embed_speech(heard)).clamp(min=LEAST_AGREEMENT)
    windows = 20 - expert.window + 1
    by_row = [-p_sync[0].log().mean(), -p_sync[1, : windows - 5].log().mean()]
    torch.testing.assert_close(losses["sync"], torch.stack(by_row).mean(), atol=1e-4, rtol=1e-4)
    without = first_stage_losses(wanted, normal, mask, mask, config=config, normalizer=units)
    assert "sync" not in without
    torch.testing.assert_close(losses["total"], without["total"] + 0.5 * losses["sync"])


def test_the_sync_loss_moves_the_lips_alone_and_leaves_the_expert_as_it_is(expert):
    torch.manual_seed(0)
    method = FD2Talk(tiny().model_copy(update={"sync_weight": 1.0})).train()
    names = set(method.state_dict())
    with torch.no_grad():
        method.normalizer.motion_std.fill_(3.0)
    losses = method.loss(
        torch.randn(4, 20, 772), torch.randn(4, 20, 70), torch.ones(4, 20, dtype=torch.bool), expert=expert
    )
    losses["sync"].backward()
    leave = method.expression.leave.weight.grad
    assert bool(leave[: expert.config.lip_directions].any())
    assert not bool(leave[expert.config.lip_directions :].any())
    assert not any(p.grad is not None and bool(p.grad.any()) for p in method.pose.parameters())
    assert all(p.grad is None for p in expert.parameters())
    assert set(method.state_dict()) == names
