import pytest
import torch

from declaim.data.sync import MAX_LAG, lag_correlations, shifted, sync_offset, sync_offsets


def curve(frames, seed):
    noise = torch.randn(frames + 10, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool1d(noise[None], 5, 1)[0, :frames]


@pytest.mark.parametrize("offset", [-5, 0, 3])
def test_offset_is_found_and_undone(offset):
    predicted = curve(300, 0)
    late = shifted(predicted[:, None], -offset)[:, 0] + 0.2 * curve(300, 1)
    assert sync_offset(predicted, late) == offset
    assert float(lag_correlations(predicted, late)[MAX_LAG + offset]) > 0.9
    assert sync_offset(predicted, shifted(late[:, None], offset)[:, 0]) == 0


def test_unsure_clips_are_left_alone():
    assert sync_offset(curve(300, 0), curve(300, 1)) == 0
    late = shifted(curve(80, 0)[:, None], -3)[:, 0]
    assert sync_offset(curve(80, 0), late) == 0
    assert sync_offset(torch.zeros(300), torch.zeros(300)) == 0


def test_offsets_are_judged_by_other_speakers():
    true = [0, 0, 0, 4, 0, -3, 0, 0]
    speakers, features, openings = [], [], []
    direction = torch.randn(6, generator=torch.Generator().manual_seed(5))
    for i, offset in enumerate(true):
        heard = torch.stack([curve(250, 100 * i + k) for k in range(6)], 1)
        mouth = heard @ direction + 0.3 * curve(250, 1000 + i)
        speakers.append(f"s{i}")
        features.append(heard)
        openings.append(shifted(mouth[:, None], -offset)[:, 0])
    assert sync_offsets(speakers, features, openings) == true
    assert sync_offsets(["one"] * 8, features, openings) == [0] * 8


def test_shifting_holds_the_ends():
    rows = torch.arange(5.0)[:, None]
    assert shifted(rows, 2)[:, 0].tolist() == [2, 3, 4, 4, 4]
    assert shifted(rows, -2)[:, 0].tolist() == [0, 0, 0, 1, 2]
