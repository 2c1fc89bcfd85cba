import numpy as np
import torch

from declaim.nn.ridge import Ridge, deal


def test_slopes_equal_numpys_least_squares():
    x, y = torch.randn(200, 4), torch.randn(200, 2)
    ridge = Ridge(1e-6)
    for group, start in enumerate(range(0, 200, 50)):
        ridge.add(group, x[start : start + 50], y[start : start + 50])
    expected = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(ridge.solve().numpy(), expected, atol=1e-4)
    without = np.linalg.lstsq(x[50:].numpy(), y[50:].numpy(), rcond=None)[0]
    np.testing.assert_allclose(ridge.solve(without=0).numpy(), without, atol=1e-4)


def test_weight_is_repetition_and_penalty_shrinks():
    x, y = torch.randn(30, 3), torch.randn(30, 1)
    twice, weighted, shrunk = Ridge(1.0), Ridge(1.0), Ridge(1e6)
    twice.add(0, torch.cat([x, x]), torch.cat([y, y]))
    weighted.add(0, x, y, 2.0)
    shrunk.add(0, x, y)
    torch.testing.assert_close(twice.solve(), weighted.solve(), atol=1e-5, rtol=1e-4)
    assert float(shrunk.solve().abs().max()) < 1e-3
    torch.testing.assert_close(twice.solve(without=0), twice.solve())


def test_equal_names_share_a_group_and_groups_are_even():
    names = [f"s{i % 10}" for i in range(40)]
    groups = deal(names, 5)
    assert all(groups[i] == groups[i % 10] for i in range(40))
    assert sorted(groups[:10]) == sorted([0, 1, 2, 3, 4] * 2)
    assert deal(names, 5) == groups
