import torch

from declaim.face.smoothing import FADE, SHORT_GAP, bridge, longest_gap, smooth_expression, smooth_pose


def valid_but(n, *gaps):
    valid = torch.ones(n, dtype=torch.bool)
    for a, b in gaps:
        valid[a:b] = False
    return valid


def test_short_gaps_are_bridged_in_a_straight_line():
    values = torch.arange(40.0)[:, None].repeat(1, 3)
    valid = valid_but(40, (10, 10 + SHORT_GAP))
    holes = values.clone()
    holes[~valid] = float("nan")
    assert torch.allclose(bridge(holes, valid, to_rest=True), values)


def test_ends_are_held():
    values = torch.arange(20.0)[:, None]
    filled = bridge(values, valid_but(20, (0, 4), (17, 20)))[:, 0]
    assert filled[:5].tolist() == [4, 4, 4, 4, 4]
    assert filled[16:].tolist() == [16, 16, 16, 16]


def test_long_gaps_go_through_rest():
    values = torch.full((60, 2), 2.0)
    filled = bridge(values, valid_but(60, (20, 45)), to_rest=True)
    assert (filled[19 + FADE : 45 - FADE + 1] == 0).all()
    assert (filled[:20] == 2).all()
    assert (filled[45:] == 2).all()
    assert (filled[1:] - filled[:-1]).abs().max() <= 2 / FADE + 1e-6


def test_long_gaps_at_the_ends_rest():
    filled = bridge(torch.ones(50, 1), valid_but(50, (0, 15), (35, 50)), to_rest=True)[:, 0]
    assert filled[0] == 0
    assert filled[-1] == 0
    assert filled[14] > 0.5


def test_gaps_are_measured():
    assert longest_gap(valid_but(10)) == 0
    assert longest_gap(valid_but(10, (0, 2), (5, 9))) == 4
    assert longest_gap(valid_but(10, (4, 10))) == 6


def test_jitter_goes_and_closures_stay():
    generator = torch.Generator().manual_seed(0)
    jitter = 0.05 * torch.randn(200, 1, generator=generator)
    closure = torch.zeros(200, 1)
    closure[50:53] = -3.0  # three frames: a p
    closure[120] = -2.0  # one frame: a very fast tap
    smoothed = smooth_expression(closure + jitter)
    still = torch.cat([torch.arange(5, 40), torch.arange(140, 195)])
    assert smoothed[still].std() < 0.85 * jitter[still].std()
    assert smoothed[51] < -2.9
    assert smoothed[120] < -1.9


def test_slow_pose_passes_and_the_length_does_not_matter():
    nod = torch.sin(2 * torch.pi * torch.arange(100)[:, None] / 25)  # once a second
    assert (smooth_pose(nod) - nod).abs().max() < 0.03
    for n in (1, 2, 6):
        assert torch.equal(smooth_pose(nod[:n]), nod[:n])
