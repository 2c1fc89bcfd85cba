"""A process that starts from a noised guess, in float64."""

import pytest
import torch

from declaim.diffusion.parameterization import q_sample
from declaim.diffusion.samplers import sample_ddim
from declaim.diffusion.schedule import cosine_schedule, linear_schedule, snr_steps, spaced_steps
from declaim.diffusion.shallow import boundary_step, shallow_schedule, shallow_start
from declaim.errors import ConfigError


def noise(seed=0, rows=4):
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_start_is_the_guess_noised_like_a_signal():
    schedule = cosine_schedule(100)
    guess, eps = noise(1), noise(2)
    expected = schedule.at(30) ** 0.5 * guess + (1 - schedule.at(30)) ** 0.5 * eps
    torch.testing.assert_close(shallow_start(guess, eps, schedule, 30), expected, atol=1e-14, rtol=0)
    assert torch.equal(shallow_start(guess, eps, schedule, -1), guess)


@pytest.mark.parametrize("schedule", [cosine_schedule(1000), linear_schedule(100, last=0.06)], ids=["cosine", "linear"])
def test_step_lists_of_the_shallow_part_begin_at_the_start(schedule):
    start = len(schedule) // 3
    part = shallow_schedule(schedule, start)
    assert torch.equal(part.alpha_bar, schedule.alpha_bar[: start + 1])
    for steps in (1, 2, 5):
        for listed in (spaced_steps(len(part), steps), snr_steps(part, steps)):
            assert listed[0] == start
            assert len(listed) == steps
            assert listed == sorted(set(listed), reverse=True)
    assert spaced_steps(len(part), start + 1) == list(range(start, -1, -1))


@pytest.mark.parametrize("start", [-1, 10])
def test_a_start_outside_the_process_is_refused(start):
    with pytest.raises(ConfigError, match=f"shallow start is step {start}; this process has steps 0 to 9"):
        shallow_schedule(cosine_schedule(10), start)


def test_from_a_perfect_guess_a_perfect_denoiser_gives_it_back():
    schedule, guess = cosine_schedule(100), noise(3)
    part = shallow_schedule(schedule, 40)
    x_t = shallow_start(guess, noise(4), schedule, 40)
    sampled = sample_ddim(lambda *_: guess, x_t, schedule, spaced_steps(len(part), 7))
    torch.testing.assert_close(sampled, guess, atol=1e-12, rtol=0)


def test_from_a_draw_of_the_truth_a_shallow_start_samples_the_truth():
    """Normal data, whose best denoiser is known: noised samples of it, denoised from any step, keep its variance."""
    schedule, variance = cosine_schedule(100), 4.0
    samples = variance**0.5 * noise(5, rows=4_000)

    def denoise(x_t, step):
        level = schedule.at(step)
        return level**0.5 * variance * x_t / (level * variance + 1 - level)

    for start in (25, 75):
        x_t = q_sample(samples, noise(6, rows=4_000), schedule.at(start))
        made = sample_ddim(denoise, x_t, schedule, spaced_steps(start + 1, start + 1))
        assert float(made.var()) == pytest.approx(variance, rel=0.03)


def test_the_boundary_is_the_first_place_after_which_nearly_all_margins_are_small():
    falling = [0.9, 0.8, 0.5, 0.3, 0.2, 0.1]
    assert boundary_step(falling, 0.4) == 3
    assert boundary_step(falling, 0.85) == 1
    assert boundary_step([0.1] * 5, 0.4) == 0
    assert boundary_step([0.9] * 5, 0.4) == 4  # nowhere: the whole process
    bumpy = [0.9, *[0.1] * 10, 0.9, *[0.1] * 9]  # 1 of the 20 after the first is large
    assert boundary_step(bumpy, 0.4) == 1
    assert boundary_step(bumpy, 0.4, share=1.0) == 12


@pytest.mark.parametrize(("margins", "share"), [([], 0.95), ([0.1], 1.5)])
def test_a_boundary_needs_margins_and_a_share(margins, share):
    with pytest.raises(ConfigError, match="expected one or more, and 0 to 1"):
        boundary_step(margins, 0.4, share)
