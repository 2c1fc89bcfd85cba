"""SDM's equations: known answers, identities, oracles."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.samplers import ddim_sigma, ddpm_mean
from declaim.diffusion.schedule import linear_schedule
from declaim.methods.sdm.objective import (
    boundary_loss,
    diffusion_chain,
    diffusion_loss,
    independence_loss,
    latent_before,
    mode_loss,
    printed_independence_loss,
    reconstruction_loss,
    regularisation_loss,
    total_loss,
    transition,
    whole_motion,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def everything(rows, frames):
    return torch.ones(rows, frames, dtype=torch.bool)


def test_equation_1_adds_the_parts():
    assert torch.equal(whole_motion(torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0])), torch.tensor([1.5, 1.0]))


def test_equation_3_without_its_change_a_latent_is_the_one_before():
    latents = draw(2, 6, 3)
    torch.testing.assert_close(latent_before(latents.diff(dim=1), latents[:, 1:]), latents[:, :-1])


def test_equation_4_counts_both_frames_of_every_pair():
    motion, mask = draw(2, 5, 3), everything(2, 5)
    assert float(regularisation_loss(motion, motion, mask)) == 0.0
    wrong = motion.clone()
    wrong[:, 0] += 2.0  # an error of 4 in the first of four pairs' predecessors, in no pair's own frame
    assert float(regularisation_loss(motion, wrong, mask)) == pytest.approx(4.0 / 4)
    wrong[:, 1] += 2.0  # frame 1 is the own frame of one pair and the predecessor of another
    assert float(regularisation_loss(motion, wrong, mask)) == pytest.approx(3 * 4.0 / 4)
    mask[:, 0] = False
    assert float(regularisation_loss(motion, wrong, mask)) == pytest.approx(4.0 / 3)


def test_equation_5_printed_is_least_for_copies_and_its_other_reading_for_strangers():
    one, other, mask = draw(3, 400, 1), draw(3, 400, 1, seed=1), everything(3, 400)
    assert float(printed_independence_loss(one, one, mask)) == 0.0
    assert float(printed_independence_loss(one, other, mask)) == pytest.approx(2.0, rel=0.1)
    assert float(independence_loss(one, one, mask)) == pytest.approx(1.0, abs=1e-3)
    assert float(independence_loss(one, other, mask)) < 0.01
    assert float(independence_loss(one, 3.0 * one + 1.0, mask)) == pytest.approx(1.0, abs=1e-3)


def test_equations_6_and_7_lead_where_q_sample_leads_at_once():
    schedule = linear_schedule(20, last=0.06)
    before = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alpha_bar[:-1]])
    variances = 1.0 - schedule.alpha_bar / before
    clean, still = draw(3, 4), torch.zeros(20, 3, 4, dtype=torch.float64)
    chain = diffusion_chain(clean, still, variances)
    for step in (0, 7, 19):  # means
        torch.testing.assert_close(chain[step], q_sample(clean, still[0], schedule.at(step)), atol=1e-12, rtol=0)
    spread = 0.0
    for step, variance in enumerate(variances.tolist()):  # variances, by the transition's own factors
        factor = float(transition(torch.ones(1), torch.zeros(1), variance)) ** 2
        spread = factor * spread + float(transition(torch.zeros(1), torch.ones(1), variance)) ** 2
        assert spread == pytest.approx(1.0 - schedule.at(step), rel=1e-5)


def test_equation_9_is_the_divergence_of_the_two_reverse_steps():
    schedule = linear_schedule(100, last=0.06)
    clean, estimate, x_t = draw(2, 3, 4), draw(2, 3, 4, seed=1), draw(2, 3, 4, seed=2)
    level, following = schedule.at(60), schedule.at(59)
    sigma = ddim_sigma(level, following, eta=1.0)
    true, modelled = (Normal(ddpm_mean(x_t, x, level, following), sigma) for x in (clean, estimate))
    expected = kl_divergence(true, modelled).sum((1, 2)).mean()
    torch.testing.assert_close(diffusion_loss(clean, estimate, level, following), expected, atol=0, rtol=1e-9)


def test_equations_10_and_11_are_a_squared_error_and_a_weighted_sum():
    motion, mask = torch.zeros(1, 3, 2), everything(1, 3)
    assert float(reconstruction_loss(motion, motion + 3.0, mask)) == pytest.approx(9.0)
    losses = [torch.tensor(value) for value in (1.0, 10.0, 100.0)]
    assert float(total_loss(*losses, (5.0, 2.0, 1.0))) == 125.0


def test_modes_that_are_standard_normal_cost_nothing():
    nothing, mask = torch.zeros(2, 3, 4), everything(2, 3)
    assert float(mode_loss(nothing, nothing, mask)) == 0.0
    mean, spread = draw(2, 3, 4).float(), draw(2, 3, 4, seed=1).float()
    expected = kl_divergence(Normal(mean, (0.5 * spread).exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(mode_loss(mean, spread, mask), expected)


def test_a_boundary_predictor_that_knows_nothing_loses_a_bit():
    mask = torch.tensor([[True, True, False]])
    nothing = torch.zeros(1, 3)
    assert float(boundary_loss(nothing, nothing, mask)) == pytest.approx(math.log(2.0))
    sure = torch.tensor([[9.0, 9.0, -9.0]])  # the last frame does not count
    assert float(boundary_loss(sure, -sure, mask)) < 1e-3
    assert float(boundary_loss(sure, sure, torch.zeros_like(mask))) == 0.0
