import json
from pathlib import Path

import numpy as np
import pytest
import torch

from declaim.errors import ConfigError
from declaim.export import save_motion
from declaim.face.layouts import FACE64
from declaim.face.motion_file import read_motion, read_pose_origin
from declaim.types import Motion


@pytest.fixture
def generated() -> Motion:
    return Motion(0.3 * torch.randn(5, FACE64.dim, generator=torch.Generator().manual_seed(0)), FACE64)


def test_every_format_gets_arkit_coefficients(tmp_path: Path, generated: Motion) -> None:
    for suffix in (".npz", ".csv", ".JSON"):
        save_motion(tmp_path / f"m{suffix}", generated, pose_origin="rest")
    back = read_motion(tmp_path / "m.npz")
    assert torch.equal(back.values, generated.values)
    assert back.arkit is not None
    assert read_pose_origin(tmp_path / "m.npz") == "rest"
    weights = np.array(json.loads((tmp_path / "m.JSON").read_text())["weights"])
    np.testing.assert_allclose(weights, back.arkit.numpy(), atol=1e-4)
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 6


def test_unknown_ending_is_named(tmp_path: Path, generated: Motion) -> None:
    with pytest.raises(ConfigError, match=r"one of \.npz, \.csv, \.json, \.glb; choose"):
        save_motion(tmp_path / "m.bvh", generated, pose_origin="rest")
    assert list(tmp_path.iterdir()) == []
