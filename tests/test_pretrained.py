import errno
import json
from pathlib import Path

import pytest
import torch

from declaim.errors import CapacityError, CheckpointError, Unwritable
from declaim.pretrained import (
    atomic_file,
    atomic_folder,
    half,
    load_into,
    load_tensors,
    read_config,
    save_tensors,
    write_config,
)


def test_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "ünïcode name.txt"
    with atomic_file(target) as partial:
        partial.write_text("all")
        assert not target.exists()
        assert partial.suffix == ".txt"
    assert target.read_text() == "all"
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


def test_failure_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ValueError), atomic_file(target) as partial:
        partial.write_text("half")
        raise ValueError
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="does not exist"), atomic_file(tmp_path / "no" / "a.txt"):
        pass


def test_folder_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "weights"
    for text in ("one", "two"):
        with atomic_folder(target) as partial:
            (partial / "f").write_text(text)
    assert (target / "f").read_text() == "two"
    with pytest.raises(RuntimeError), atomic_folder(target) as partial:
        (partial / "f").write_text("three")
        raise RuntimeError
    assert (target / "f").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["weights"]


def test_tensors_round_trip(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4), "n": torch.arange(5)}
    save_tensors(tmp_path / "t.safetensors", {"a": tensors["a"].T, "n": tensors["n"]})
    loaded = load_tensors(tmp_path / "t.safetensors")
    assert torch.equal(loaded["a"], tensors["a"].T)
    assert loaded["n"].dtype == torch.int64
    assert half(loaded)["a"].dtype == torch.float16


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 100])
def test_broken_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot read weights"):
        load_tensors(path)


def test_config_is_checked(tmp_path: Path) -> None:
    write_config(tmp_path, {"kind": "method", "width": 3})
    assert read_config(tmp_path, "method") == {"kind": "method", "width": 3}
    with pytest.raises(CheckpointError, match="expected a 'face-model'"):
        read_config(tmp_path, "face-model")
    (tmp_path / "config.json").write_text(json.dumps({"format_version": 99, "kind": "method"}))
    with pytest.raises(CheckpointError, match="format version 99"):
        read_config(tmp_path, "method")
    with pytest.raises(CheckpointError, match="is no saved method"):
        read_config(tmp_path / "nowhere", "method")


def test_strict_loading(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    state = half(layer.state_dict())
    load_into(layer, state, tmp_path)
    assert layer.weight.dtype == torch.float32
    with pytest.raises(CheckpointError, match="do not fit"):
        load_into(torch.nn.Linear(3, 2), state, tmp_path)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_into(layer, {"weight": state["weight"]}, tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_is_told_from_other_faults(tmp_path: Path, number: int) -> None:
    for writing in (atomic_file, atomic_folder):
        with pytest.raises(CapacityError, match="free some space"), writing(tmp_path / "a.txt"):
            raise OSError(number, "full")
        with pytest.raises(Unwritable), writing(tmp_path / "a.txt"):
            raise PermissionError(errno.EACCES, "forbidden")
    assert list(tmp_path.iterdir()) == []
