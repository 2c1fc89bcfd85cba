from fractions import Fraction

import numpy as np
import pytest
import torch

from declaim.errors import CheckpointError, Unwritable
from declaim.face.layouts import ARKIT_NAMES, FACE64
from declaim.face.motion_file import read_motion, read_points, read_pose_origin, write_motion
from declaim.types import Motion, MotionLayout, Part


def motion(n=7, **extra):
    return Motion(torch.randn(n, 70, generator=torch.Generator().manual_seed(0)), FACE64, **extra)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001)])
def test_the_round_trip_is_exact(tmp_path, fps):
    before = motion(fps=fps, valid=torch.tensor([1, 1, 0, 0, 1, 1, 1], dtype=torch.bool), arkit=torch.rand(7, 52))
    points = torch.rand(7, 478, 3)
    write_motion(tmp_path / "a.npz", before, points=points, pose_origin="rest")
    after = read_motion(tmp_path / "a.npz")
    assert torch.equal(after.values, before.values)
    assert torch.equal(after.valid, before.valid)
    assert torch.equal(after.arkit, before.arkit)
    assert (after.fps, after.layout) == (fps, FACE64)
    assert read_pose_origin(tmp_path / "a.npz") == "rest"
    assert torch.equal(read_points(tmp_path / "a.npz"), points)


def test_what_is_not_known_stays_unknown(tmp_path):
    write_motion(tmp_path / "a.npz", motion())
    after = read_motion(tmp_path / "a.npz")
    assert after.valid is None
    assert after.arkit is None
    assert read_points(tmp_path / "a.npz") is None
    assert read_pose_origin(tmp_path / "a.npz") == "camera"


def test_numpy_alone_reads_the_named_arrays(tmp_path):
    write_motion(tmp_path / "a.npz", motion(arkit=torch.rand(7, 52)))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as z:
        assert z["expression"].shape == (7, 64)
        assert z["rotation"].shape == (7, 3)
        assert z["translation"].shape == (7, 3)
        assert z["arkit"].shape == (7, 52)
        assert z["arkit_names"].tolist() == list(ARKIT_NAMES)
        assert z["fps"].tolist() == [25, 1]
        assert "face64" in str(z["layout"])


def test_double_precision_and_other_layouts_survive(tmp_path):
    layout = MotionLayout("two", (Part("a", 0, 2, "sd"), Part("b", 2, 3, "rad", "axis_angle")))
    before = Motion(torch.rand(4, 5, dtype=torch.float64), layout)
    write_motion(tmp_path / "a.npz", before)
    after = read_motion(tmp_path / "a.npz")
    assert after.layout == layout
    assert torch.equal(after.values, before.values)


def test_empty_motion(tmp_path):
    write_motion(tmp_path / "a.npz", motion(0))
    assert len(read_motion(tmp_path / "a.npz")) == 0


def test_names_with_spaces_and_other_letters(tmp_path):
    path = tmp_path / "meine Bewegung 動き.npz"
    write_motion(path, motion())
    assert len(read_motion(path)) == 7


def spoil(path, **changes):
    with np.load(path) as z:
        arrays = {name: z[name] for name in z.files}
    arrays.update(changes)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": np.int64(9)}, "format version 9"),
        ({"format_version": None}, "no format_version"),
        ({"layout": None}, "no motion file"),
        ({"layout": np.str_("{")}, "no motion file"),
        ({"rotation": np.zeros((3, 3), np.float32)}, "no motion file"),
        ({"fps": np.array([25, 0])}, "no motion file"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, changes, message):
    path = tmp_path / "a.npz"
    write_motion(path, motion())
    spoil(path, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_motion(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 no zip after all", b"\x93NUMPY"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.npz"):
        read_motion(path)


def test_truncated_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_motion(path, motion())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError):
        read_motion(path)
    with pytest.raises(CheckpointError, match="there is no"):
        read_motion(tmp_path / "b.npz")


def test_pickles_are_never_opened(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, format_version=np.array([{"a": 1}], dtype=object))
    with pytest.raises(CheckpointError):
        read_motion(path)


def test_nothing_is_left_behind_where_it_cannot_be_written(tmp_path):
    with pytest.raises(Unwritable, match="does not exist"):
        write_motion(tmp_path / "missing" / "a.npz", motion())
    assert list(tmp_path.iterdir()) == []
