import numpy as np
import pytest
import torch

from declaim.sync.mfcc import mfcc


def chirp(samples):
    return torch.from_numpy(np.round(8000 * np.sin(np.arange(samples) ** 1.3 * 0.01)) / 32768.0).float()


def test_numbers_are_those_of_python_speech_features():
    """Made once with python_speech_features 0.6: ``mfcc(signal, 16000)``, rows 0 and 3."""
    found = mfcc(chirp(1200))
    assert found.shape == (6, 13)
    expected = torch.tensor([
        [17.205, 39.869, 27.276, 22.226, 15.527, 9.158, 2.954, -3.073, -8.671, -12.037, -13.814, -14.48, -13.138],
        [17.898, 28.349, 20.107, 13.181, 5.347, -3.615, -11.046, -17.701, -21.01, -21.553, -18.288, -13.8, -8.253],
    ])  # fmt: skip
    torch.testing.assert_close(found[[0, 3]], expected, atol=6e-4, rtol=0)


@pytest.mark.parametrize(("samples", "steps"), [(16_000, 99), (400, 1), (401, 2), (399, 1)])
def test_one_row_every_ten_milliseconds(samples, steps):
    assert mfcc(chirp(samples)).shape == (steps, 13)


def test_silence_is_finite():
    assert bool(torch.isfinite(mfcc(torch.zeros(2000))).all())
