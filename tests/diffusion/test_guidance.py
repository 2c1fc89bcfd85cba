"""Guidance by two conditions, against its definitions in float64."""

import pytest
import torch

from declaim.diffusion.guidance import dynamic_threshold, incremental_weights, independent_weights, weighted_sum

SCALES = [(1.15, 3.0), (1.0, 1.0), (0.0, 0.0), (2.5, 0.0), (-1.0, 40.0)]


def estimates(seed=0):
    drawn = torch.randn(3, 4, 20, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return list(drawn.unbind())


@pytest.mark.parametrize(("first", "second"), SCALES)
def test_incremental_guidance_is_its_definition_and_changes_no_estimate(first, second):
    none, speech, both = branches = estimates()
    kept = [d.clone() for d in branches]
    guided = weighted_sum(branches, incremental_weights(first, second))
    torch.testing.assert_close(
        guided, none + first * (speech - none) + second * (both - speech), rtol=1e-12, atol=1e-12
    )
    assert all(torch.equal(a, b) for a, b in zip(branches, kept, strict=True))


@pytest.mark.parametrize(("first", "second"), SCALES)
def test_independent_guidance_is_its_definition_and_changes_no_estimate(first, second):
    """DiffPoseTalk's code adds the first difference into the unconditional estimate, which the second then sees."""
    none, speech, style = branches = estimates()
    kept = [d.clone() for d in branches]
    guided = weighted_sum(branches, independent_weights(first, second))
    torch.testing.assert_close(guided, none + first * (speech - none) + second * (style - none), rtol=1e-12, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(branches, kept, strict=True))


def test_scales_of_one_leave_out_what_they_do_not_need():
    assert incremental_weights(1.0, 1.0) == (0.0, 0.0, 1.0)
    assert incremental_weights(1.0, 3.0)[0] == 0.0
    assert weighted_sum(estimates()[:1], (1.0,)).equal(estimates()[0])


def test_a_threshold_cuts_each_sequence_at_its_own_quantile():
    x = torch.randn(3, 50, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = x * torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)[:, None, None]
    kept = x.clone()
    cut = dynamic_threshold(x, 0.9, 1.0, 4.0)
    assert torch.equal(x, kept)
    assert torch.equal(cut[0], x[0])  # its quantile is below the least cut, and so is everything in it
    middle = float(x[1].abs().flatten().quantile(0.9))
    assert 1.0 < middle < 4.0
    torch.testing.assert_close(cut[1], x[1].clamp(-middle, middle))
    torch.testing.assert_close(cut[2], x[2].clamp(-4.0, 4.0))
