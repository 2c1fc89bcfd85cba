"""VGG16 features: do they behave like VGG's? Closeness must follow what eyes see."""

import cv2
import numpy as np
import pytest
import torch

from declaim.assets import state
from declaim.errors import CheckpointError, ConfigError
from declaim.metrics.extractors import VGG16Features

needs_network = pytest.mark.skipif(
    state("vgg16-hed") != "complete", reason="not fetched: declaim assets pull vgg16-hed"
)


@pytest.fixture(scope="module")
def network() -> VGG16Features:
    pytest.importorskip("h5py")
    return VGG16Features.from_pretrained()


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    from skimage.data import astronaut

    return cv2.resize(astronaut()[:300, 80:380], (64, 64), interpolation=cv2.INTER_AREA)


@needs_network
def test_distance_grows_with_blur_noise_and_shift(network, face):
    random = np.random.default_rng(0).normal(size=face.shape)
    series = {
        "blur": [cv2.GaussianBlur(face, (0, 0), s) for s in (0.5, 1, 2)],
        "noise": [np.clip(face + s * random, 0, 255).astype(np.uint8) for s in (5, 15, 40)],
        "shift": [np.roll(face, d, axis=1) for d in (1, 2, 4)],
    }
    assert network.distance(face, face) == 0
    for name, pictures in series.items():
        found = [network.distance(picture, face) for picture in pictures]
        assert 0 < found[0] < found[1] < found[2], name
    brighter = np.clip(face.astype(int) + 10, 0, 255).astype(np.uint8)
    assert network.distance(brighter, face) < network.distance(series["blur"][2], face)


@needs_network
def test_features_are_those_of_a_trained_network(network, face):
    blocks = list(network.blocks_of(face[None]))
    assert [tuple(b.shape[1:]) for b in blocks] == [
        (64, 64, 64),
        (128, 32, 32),
        (256, 16, 16),
        (512, 8, 8),
        (512, 4, 4),
    ]
    assert all(0.02 < float((b > 0).float().mean()) < 0.6 for b in blocks), "ReLUs of a trained network are sparse"
    both = network.appearance(np.stack([face, face[:, ::-1]]))
    torch.testing.assert_close(both.pooled, network.pooled(np.stack([face, face[:, ::-1]])))
    assert float(both.distance(network.appearance(np.stack([face, face])))[0]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ConfigError, match="at least 32x32"):
        network.pooled(face[None, :20, :20])


@needs_network
def test_maps_are_the_same_features_with_gradients(network, face):
    pictures = (torch.from_numpy(face[None]).permute(0, 3, 1, 2) / 127.5 - 1).requires_grad_()
    maps = network.maps(pictures, 2)
    for found, block in zip(maps, network.appearance(face[None]).blocks[:2], strict=True):
        torch.testing.assert_close(found, block * block.shape[1] ** 0.5, atol=1e-4, rtol=1e-3)
    maps[-1].square().sum().backward()
    assert pictures.grad is not None


def test_other_files_and_a_missing_package_are_one_sentence(tmp_path, without_package):
    pytest.importorskip("h5py")
    (tmp_path / "x.h5").write_bytes(b"no hdf5")
    with pytest.raises(CheckpointError, match="does not hold the weights of VGG16-HED"):
        VGG16Features.from_pretrained(tmp_path / "x.h5")
    without_package("h5py")
    with pytest.raises(ConfigError, match=r"pip install 'declaim\[evaluate\]'"):
        VGG16Features.from_pretrained(tmp_path / "x.h5")
