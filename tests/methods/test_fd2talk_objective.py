import pytest
import torch

from declaim.methods.fd2talk import FD2Talk, Normalizer, paper, tiny
from declaim.methods.fd2talk.objective import expression_loss, first_stage_losses, pose_loss


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x0, estimate = (torch.randn(3, 12, 70, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.ones(3, 12, dtype=torch.bool)
    mask[2, 8:] = False
    return x0, estimate, mask


def double(normalizer):
    return Normalizer(**{name: value.double() for name, value in vars(normalizer).items()})


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
    expected = losses["expression"] + paper().pose_weight * losses["pose"]
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
