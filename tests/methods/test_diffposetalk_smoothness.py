"""The Gaussian estimate of DiffPoseTalk's denoiser, against the definition of a conditional mean."""

import pytest
import torch

from declaim.methods.diffposetalk.smoothness import DISTANCES, FLOOR, GaussianEstimate, autocorrelation

NOTHING = slice(0, 0)

FRAMES, PREFIX, COLUMNS = 14, 4, 3


def parts(estimate, x, level, size, first):
    """Mean, and spread where the network says 1."""
    mean = estimate(torch.zeros_like(x), x, level, size, first)
    return mean, estimate(torch.ones_like(x), x, level, size, first) - mean


def smooth(columns=COLUMNS, frames=DISTANCES):
    """Autocorrelations that fall off at different speeds: of real processes."""
    widths = torch.tensor([1.5, 3.0, 6.0])[:columns, None]
    return torch.exp(-torch.arange(frames) / widths)


@pytest.fixture
def estimate():
    made = GaussianEstimate(COLUMNS, PREFIX, NOTHING)
    made.learn(smooth())
    return made


@pytest.mark.parametrize("first", [False, True])
def test_it_is_the_conditional_mean_and_spread_of_a_gaussian_process(estimate, first):
    x = torch.randn(1, FRAMES, COLUMNS, generator=torch.Generator().manual_seed(0))
    size, level = torch.tensor([[0.5, 1.0, 2.0]]), 0.3
    mean, doubt = parts(estimate, x, torch.tensor([level]), size, torch.tensor([first]))
    apart = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs()
    for column in range(COLUMNS):
        r = 1.0 - estimate.variogram[column].double()
        prior = size[0, column].double() ** 2 * ((1 - FLOOR) * r[apart] + FLOOR * torch.eye(FRAMES))
        new = torch.arange(FRAMES) >= PREFIX
        seen = new if first else torch.ones(FRAMES, dtype=torch.bool)
        # what is seen: previous frames as they are, noisy ones as sqrt(level) x0 + noise
        gain = torch.where(new, level**0.5, 1.0).double()
        noise = torch.where(new, 1.0 - level, 0.0).double()
        across = prior[new][:, seen] * gain[seen]
        total = gain[seen, None] * prior[seen][:, seen] * gain[seen] + noise[seen].diag()
        weights = torch.linalg.solve(total, across.T).T
        wanted = weights @ x[0, seen, column].double()
        spread = (prior[new][:, new] - weights @ across.T).diagonal().sqrt()
        torch.testing.assert_close(mean[0, new, column].double(), wanted, atol=2e-3, rtol=2e-3)
        torch.testing.assert_close(doubt[0, new, column].double(), spread, atol=2e-3, rtol=2e-3)


def test_previous_frames_are_themselves_without_a_doubt(estimate):
    x = torch.randn(2, FRAMES, COLUMNS)
    mean, doubt = parts(estimate, x, torch.tensor([0.1, 0.9]), torch.ones(2, COLUMNS), torch.tensor([False, True]))
    assert mean[:, :PREFIX].equal(x[:, :PREFIX])
    assert not doubt[:, :PREFIX].any()


def test_without_anything_learnt_every_frame_speaks_for_itself():
    x, level = torch.randn(1, FRAMES, COLUMNS), 0.4
    nothing = GaussianEstimate(COLUMNS, PREFIX, NOTHING)
    mean, doubt = parts(nothing, x, torch.tensor([level]), torch.ones(1, COLUMNS), torch.tensor([False]))
    torch.testing.assert_close(mean[:, PREFIX:], level**0.5 * x[:, PREFIX:])
    torch.testing.assert_close(doubt[:, PREFIX:], torch.full_like(doubt[:, PREFIX:], (1 - level) ** 0.5))


def test_a_window_may_be_shorter_and_weights_may_be_loaded_after_use(estimate):
    x, few = torch.randn(1, 9, COLUMNS), torch.tensor([0.5])
    first, ones = torch.tensor([False]), torch.ones(1, COLUMNS)
    said = torch.randn(1, 9, COLUMNS)
    before = estimate(said, x, few, ones, first)
    other = GaussianEstimate(COLUMNS, PREFIX, NOTHING)
    assert not torch.allclose(other(said, x, few, ones, first), before, atol=1e-2)
    other.load_state_dict(estimate.state_dict())
    assert other(said, x, few, ones, first).equal(before)


def test_autocorrelation_is_found_again_whatever_the_amplitude_and_the_gaps():
    generator = torch.Generator().manual_seed(3)
    apart = (torch.arange(90)[:, None] - torch.arange(90)).abs()
    r = torch.exp(-0.5 * (apart / 4.0) ** 2) + 1e-4 * torch.eye(90)
    factor = torch.linalg.cholesky(r)
    clips = []
    for k in range(200):
        motion = factor @ torch.randn(90, 2, generator=generator) * (1 + k % 5)
        motion[:, 1] *= k % 2  # half of the clips teach nothing of this column
        counts = torch.rand(90, generator=generator) > 0.1
        clips.append((motion, counts))
    found = autocorrelation(clips, 20)
    assert found[:, 0].tolist() == [1.0, 1.0]
    torch.testing.assert_close(found, r[:1, :20].expand(2, -1), atol=0.12, rtol=0)


def test_distances_beyond_all_clips_count_nothing():
    assert not autocorrelation([(torch.ones(5, 1), torch.ones(5, dtype=torch.bool))], 30)[:, 10:].any()


def test_in_smooth_columns_what_is_added_has_the_covariance_of_what_is_in_doubt():
    made = GaussianEstimate(COLUMNS, PREFIX, slice(1, 3))
    made.learn(smooth())
    x, level, first = torch.randn(1, FRAMES, COLUMNS), torch.tensor([0.2]), torch.tensor([True])
    size = torch.tensor([[1.0, 0.5, 2.0]])
    mean = made(torch.zeros_like(x), x, level, size, first)
    steps = torch.eye(FRAMES - PREFIX)[:, :, None].expand(-1, -1, COLUMNS)
    steps = torch.cat([torch.zeros(len(steps), PREFIX, COLUMNS), steps], 1)
    many = [t.expand(len(steps), *t.shape[1:]) for t in (x, size)]
    root = (made(steps, many[0], level.expand(len(steps)), many[1], first.expand(len(steps))) - mean)[:, PREFIX:]
    apart = (torch.arange(FRAMES - PREFIX)[:, None] - torch.arange(FRAMES - PREFIX)).abs()
    for column in (1, 2):
        r = 1.0 - made.variogram[column].double()
        prior = size[0, column].double() ** 2 * ((1 - FLOOR) * r[apart] + FLOOR * torch.eye(len(apart)))
        posterior = torch.linalg.inv(torch.linalg.inv(prior) + 0.2 / 0.8 * torch.eye(len(apart)))
        own = root[..., column].double()
        torch.testing.assert_close(own.T @ own, posterior, atol=2e-3, rtol=2e-2)
    assert (root[..., 0] - root[..., 0].diagonal().diag()).abs().max() < 1e-5  # frame by frame


def test_windows_longer_than_what_was_measured_have_an_estimate(estimate):
    x = torch.randn(1, DISTANCES + 10, COLUMNS)
    found = estimate(torch.zeros_like(x), x, torch.tensor([0.5]), torch.ones(1, COLUMNS), torch.tensor([False]))
    assert found.shape == x.shape
    assert found.isfinite().all()
