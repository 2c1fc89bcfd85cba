import pytest
import torch

from declaim.errors import ConfigError
from declaim.sync.offsets import active_windows, distance_curve, lse_c, lse_d, offset, whole_windows


def one_hot(count):
    """Windows that are all equally far from each other: sqrt(2)."""
    return torch.eye(count)


@pytest.mark.parametrize("late", [-7, 0, 4, 15])
def test_curve_of_embeddings_that_agree_at_one_offset_alone(late):
    speech = one_hot(60)
    picture = speech.roll(late, 0)  # what is heard at t is seen at t + late
    curve = distance_curve(speech, picture)
    expected = torch.full((31,), 2.0**0.5)
    expected[15 + late] = 0.0
    torch.testing.assert_close(curve, expected)
    assert offset(curve) == late
    assert lse_d(curve) == 0.0
    assert lse_c(curve) == pytest.approx(2.0**0.5)


def test_every_offset_is_a_mean_over_its_own_pairs():
    speech, picture = torch.randn(20, 3), torch.randn(20, 3)
    curve = distance_curve(speech, picture, reach=2)
    assert float(curve[4]) == pytest.approx(float((speech[:18] - picture[2:]).norm(dim=1).mean()))
    assert float(curve[1]) == pytest.approx(float((speech[1:] - picture[:19]).norm(dim=1).mean()))


def test_windows_that_do_not_count_change_nothing():
    speech = one_hot(60)
    picture = speech.clone()
    counts = torch.ones(60, dtype=torch.bool)
    counts[10:20] = False
    picture[10:20] = 50.0
    assert lse_d(distance_curve(speech, picture)) > 1.0
    assert lse_d(distance_curve(speech, picture, counts=counts)) == 0.0


def test_too_short_a_clip_is_refused():
    with pytest.raises(ConfigError, match="more than 15 windows"):
        distance_curve(one_hot(15), one_hot(15))
    with pytest.raises(ConfigError, match="got 0"):
        distance_curve(one_hot(40), one_hot(40), counts=torch.zeros(40, dtype=torch.bool))
    assert len(distance_curve(one_hot(16), one_hot(16))) == 31


def test_windows_are_whole_or_active():
    valid = torch.tensor([1, 1, 1, 0, 1, 1]).bool()
    assert whole_windows(valid, 3).tolist() == [True, False, False, False]
    assert active_windows(valid, 3).tolist() == [True, True, True, True]
    assert active_windows(torch.tensor([1, 0, 0, 1, 1]).bool(), 3).tolist() == [False, False, True]
