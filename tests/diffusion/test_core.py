"""Float64 identities and oracles of the diffusion core."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from declaim.diffusion.guidance import guided
from declaim.diffusion.losses import velocity_loss, x0_loss
from declaim.diffusion.noise import BLOCK, frame_noise
from declaim.diffusion.parameterization import eps_to_x0, q_sample, v_to_x0, x0_to_eps, x0_to_v
from declaim.diffusion.samplers import ddim_sigma, ddim_step, ddpm_mean, dpmpp_step, sample_ddim, sample_dpmpp
from declaim.diffusion.schedule import (
    EDGE,
    cosine_schedule,
    half_log_snr,
    linear_schedule,
    make_schedule,
    snr_steps,
    spaced_steps,
)
from declaim.diffusion.windows import windows
from declaim.errors import ConfigError


def pair(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 5, 3, generator=generator, dtype=torch.float64), torch.randn(
        2, 5, 3, generator=generator, dtype=torch.float64
    )


@pytest.mark.parametrize("level", [0.999, 0.5, 1e-3])
def test_conversions_undo_each_other(level):
    x0, eps = pair()
    x_t = q_sample(x0, eps, level)
    torch.testing.assert_close(x0_to_eps(x0, x_t, level), eps, atol=1e-10, rtol=0)
    torch.testing.assert_close(eps_to_x0(eps, x_t, level), x0, atol=1e-10, rtol=0)
    torch.testing.assert_close(v_to_x0(x0_to_v(x0, x_t, level), x_t, level), x0, atol=1e-10, rtol=0)


def test_a_level_gives_the_same_bits_as_a_number_and_as_a_tensor():
    x, y = (values.float() for values in pair(1))
    for level in (0.999, 0.37, 1e-5):
        level_tensor = torch.tensor(level, dtype=torch.float64)
        for convert in (q_sample, x0_to_eps, eps_to_x0):
            assert torch.equal(convert(x, y, level), convert(x, y, level_tensor))


def test_q_sample_keeps_unit_variance():
    x0 = torch.randn(200_000, dtype=torch.float64)
    x_t = q_sample(x0, torch.randn(200_000, dtype=torch.float64), torch.tensor(0.3))
    assert abs(float(x_t.var()) - 1.0) < 0.02


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_schedules_fall_from_signal_to_noise(name):
    schedule = make_schedule(name, 1000)
    assert schedule.at(-1) == 1.0
    assert (schedule.alpha_bar.diff() < 0).all()
    assert schedule.at(0) > 0.999
    assert schedule.at(999) < 1e-4


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (linear_schedule(1000), {"beta_schedule": "linear"}),
        (cosine_schedule(1000), {"beta_schedule": "squaredcos_cap_v2"}),
    ],
)
@pytest.mark.parametrize("steps", [50, 10])
def test_ddim_equals_diffusers(ours, theirs, steps):
    oracle = DDIMScheduler(
        1000, clip_sample=False, prediction_type="sample", timestep_spacing="trailing", set_alpha_to_one=True, **theirs
    )
    oracle.alphas_cumprod = ours.alpha_bar  # the same products, in float64
    oracle.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    oracle.set_timesteps(steps)
    visited = spaced_steps(1000, steps)
    assert oracle.timesteps.tolist() == visited

    def network(x_t, step):
        return torch.tanh(x_t * 1.3 + step / 1000)

    x = start = pair()[0]
    for step in oracle.timesteps:
        x = oracle.step(network(x, int(step)), step, x).prev_sample
    torch.testing.assert_close(sample_ddim(network, start, ours, visited), x, atol=1e-12, rtol=1e-12)


def test_noisy_ddim_step_is_ddpms_posterior():
    x0, eps = pair(3)
    level, following = 0.2, 0.35
    x_t = q_sample(x0, eps, level)
    sigma = ddim_sigma(level, following, eta=1.0)
    mean = ddim_step(x_t, x0, level, following, sigma=sigma)
    torch.testing.assert_close(mean, ddpm_mean(x_t, x0, level, following), atol=1e-12, rtol=0)
    beta = 1 - level / following
    assert sigma**2 == pytest.approx((1 - following) / (1 - level) * beta)


def test_last_step_gives_the_estimate():
    x0, eps = pair(4)
    stepped = ddim_step(q_sample(x0, eps, 0.9), x0, 0.9, 1.0)
    torch.testing.assert_close(stepped, x0, atol=1e-12, rtol=0)


def test_sampling_a_gaussian_reproduces_its_spread():
    """For data N(0, s^2) the best estimate is linear; deterministic DDIM must map unit noise to spread s."""
    schedule, spread = linear_schedule(1000), 0.5

    def best(x_t, step):
        level = schedule.at(step)
        return x_t * level**0.5 * spread**2 / (level * spread**2 + 1 - level)

    start = torch.randn(4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sampled = sample_ddim(best, start, schedule, spaced_steps(1000, 200))
    assert float(sampled.std() / start.std()) == pytest.approx(spread, rel=0.03)


def test_spaced_steps():
    assert spaced_steps(1000, 50)[:2] == [999, 979]
    assert spaced_steps(1000, 50)[-1] == 19
    assert spaced_steps(20, 20) == list(range(19, -1, -1))
    for wrong in (0, 21):
        with pytest.raises(ConfigError, match="1 to 20"):
            spaced_steps(20, wrong)


@pytest.mark.parametrize("ours", [linear_schedule(1000), cosine_schedule(1000)])
@pytest.mark.parametrize("steps", [50, 6])
def test_dpm_solver_equals_diffusers(ours, steps):
    visited = snr_steps(ours, steps)
    oracle = DPMSolverMultistepScheduler(1000, algorithm_type="dpmsolver++", solver_order=2, solver_type="heun")
    # Its own step() rounds to float32, so its two updates are called directly, over the same levels in float64.
    levels = torch.tensor([ours.at(step) for step in [*visited, -1]], dtype=torch.float64)
    oracle.sigmas = ((1 - levels) / levels).sqrt()

    def network(x_t, step):
        return torch.tanh(x_t * 1.3 + step / 1000)

    x = start = pair()[0]
    seen = []
    for i, step in enumerate(visited):
        oracle._step_index = i
        seen.append(network(x, step))
        if 0 < i < steps - 1:
            x = oracle.multistep_dpm_solver_second_order_update(seen[-2:], sample=x)
        else:
            x = oracle.dpm_solver_first_order_update(seen[-1], sample=x)
    torch.testing.assert_close(sample_dpmpp(network, start, ours, visited), x, atol=1e-10, rtol=1e-10)


def test_dpm_solver_is_exact_where_the_estimate_is_linear_in_lambda():
    """x / sigma = integral of e^lambda x0(lambda): here x0 = a + b lambda, so x = alpha (x0 - b) + const sigma."""
    slope, offset, constant = 0.7, -0.2, 1.3
    levels = [0.02, 0.3, 0.8]
    lambdas = [half_log_snr(level) for level in levels]
    estimates = [torch.tensor(offset + slope * place, dtype=torch.float64) for place in lambdas]
    exact = [
        level**0.5 * (x0 - slope) + constant * (1 - level) ** 0.5 for level, x0 in zip(levels, estimates, strict=True)
    ]
    stepped = dpmpp_step(exact[1], estimates[1], levels[1], levels[2], (estimates[0], levels[0]))
    torch.testing.assert_close(stepped, exact[2], atol=1e-12, rtol=0)
    first_order = dpmpp_step(exact[1], estimates[1], levels[1], levels[2])
    assert abs(float(first_order - exact[2])) > 0.05


def test_half_log_snr_is_the_logarithm_of_amplitudes():
    assert half_log_snr(0.5) == 0.0
    assert half_log_snr(0.9) == pytest.approx(math.log(0.9**0.5 / 0.1**0.5))


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_few_steps_keep_a_gaussians_spread(spread):
    """The best estimate of N(0, s^2) is linear in x_t, so one trajectory tells all: six DDIM steps lose a sixth."""
    schedule = cosine_schedule(1000)

    def best(x_t, step):
        level = schedule.at(step)
        return x_t * level**0.5 * spread**2 / (level * spread**2 + 1 - level)

    def kept(sample, steps):
        return float(sample(best, torch.ones(1, dtype=torch.float64), schedule, steps)) / spread

    assert kept(sample_ddim, spaced_steps(1000, 6)) < 0.84
    assert kept(sample_dpmpp, snr_steps(schedule, 6)) == pytest.approx(1.0, abs=0.12)
    errors = [abs(kept(sample_dpmpp, snr_steps(schedule, steps)) - 1) for steps in (8, 16, 32)]
    assert errors[1] < 0.4 * errors[0]
    assert errors[2] < 0.4 * errors[1]


def test_snr_steps_fall_from_noise_to_signal():
    schedule = cosine_schedule(1000)
    for steps in (1, 2, 6, 50, 900, 1000):
        visited = snr_steps(schedule, steps)
        assert len(visited) == steps
        assert all(a > b for a, b in pairwise(visited))
        assert min(visited) >= 0
    assert snr_steps(schedule, 1000) == list(range(999, -1, -1))
    ends = snr_steps(schedule, 6)[0], snr_steps(schedule, 6)[-1]
    assert schedule.at(ends[0]) == pytest.approx(EDGE, rel=0.2)
    assert 1 - schedule.at(ends[1]) == pytest.approx(EDGE, rel=0.2)
    assert len(snr_steps(cosine_schedule(20), 20)) == 20
    for wrong in (0, 21):
        with pytest.raises(ConfigError, match="1 to 20"):
            snr_steps(cosine_schedule(20), wrong)


def test_guidance_changes_nothing_in_place_and_weight_one_is_the_condition():
    x = torch.ones(3)

    def cond(x_t, step):
        return x_t * 2

    def base(x_t, step):
        return x_t

    assert guided(cond, base, 1.0) is cond
    torch.testing.assert_close(guided(cond, base, 3.0)(x, 0), 4 * torch.ones(3))
    assert x.tolist() == [1, 1, 1]


def test_noise_belongs_to_frames():
    whole = frame_noise(7, 0, 0, 3 * BLOCK, 5)
    for start, stop in ((0, 10), (BLOCK - 3, BLOCK + 3), (70, 190), (64, 128)):
        assert torch.equal(frame_noise(7, 0, start, stop, 5), whole[start:stop])
    assert not torch.equal(frame_noise(7, 1, 0, 10, 5), whole[:10])
    assert not torch.equal(frame_noise(8, 0, 0, 10, 5), whole[:10])
    assert frame_noise(7, 0, 5, 5, 5).shape == (0, 5)
    assert abs(float(frame_noise(7, 0, 0, 5000, 5).std()) - 1) < 0.02


@pytest.mark.parametrize("n_frames", [1, 54, 55, 56, 60, 75, 111, 1500])
def test_windows_cover_every_frame_once(n_frames):
    seen = list(windows(n_frames, new=55, prefix=15, ahead=5))
    assert [f for w in seen for f in range(w.start, w.stop)] == list(range(n_frames))
    assert seen[0].begin == 0
    for before, window in pairwise(seen):
        assert window.begin == window.start - 15 == before.stop - 15
    assert all(len(w) <= 75 and w.end <= n_frames for w in seen)


def test_losses_ignore_padding():
    x0, estimate = pair(5)
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    changed = estimate.clone()
    changed[1, 3:] += 100
    for loss in (x0_loss, velocity_loss):
        torch.testing.assert_close(loss(x0, estimate, mask), loss(x0, changed, mask))
        assert loss(x0, x0, mask) == 0
        assert loss(x0, estimate, torch.zeros_like(mask)) == 0
    torch.testing.assert_close(x0_loss(x0, estimate), (x0 - estimate).square().mean())
    offset = x0 + 1.0
    torch.testing.assert_close(velocity_loss(x0, offset), torch.zeros((), dtype=torch.float64), atol=1e-12, rtol=0)
