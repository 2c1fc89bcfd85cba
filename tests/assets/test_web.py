"""Resuming over HTTP, against a real server that breaks off, refuses ranges, lies about them or goes away."""

from pathlib import Path
from typing import Any

import pytest

from declaim.assets.web import download
from declaim.errors import AssetError


def fetch(server: Any, partial: Path, n_bytes: int | None = None) -> list[int]:
    steps: list[int] = []
    download(server.address(), partial, n_bytes or len(server.files["/toy.bin"]), lambda done, _: steps.append(done))
    return steps


def test_whole_file(server: Any, tmp_path: Path) -> None:
    steps = fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == server.files["/toy.bin"]
    assert server.requests == [("/toy.bin", None)]
    assert steps == sorted(steps) and steps[-1] == 300_000


def test_broken_connections_are_taken_up_again(server: Any, tmp_path: Path) -> None:
    server.cut_after = 70_000
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == server.files["/toy.bin"]
    assert [r for _, r in server.requests] == [None, *(f"bytes={n}-" for n in (70_000, 140_000, 210_000, 280_000))]


def test_goes_on_from_an_earlier_beginning(server: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(server.files["/toy.bin"][:123_456])
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == server.files["/toy.bin"]
    assert server.requests == [("/toy.bin", "bytes=123456-")]


def test_server_without_ranges_starts_over(server: Any, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "f").write_bytes(b"x" * 1000)
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == server.files["/toy.bin"]


def test_server_that_answers_another_range_starts_over(server: Any, tmp_path: Path) -> None:
    server.skew = 100
    (tmp_path / "f").write_bytes(server.files["/toy.bin"][:1000])
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == server.files["/toy.bin"]
    assert [r for _, r in server.requests] == ["bytes=1000-", None]


def test_beginning_longer_than_the_server_s_file_is_dropped(server: Any, tmp_path: Path) -> None:
    server.files["/toy.bin"] = b"y" * 500
    (tmp_path / "f").write_bytes(b"x" * 700)
    with pytest.raises(AssetError, match="500 of 900"):
        fetch(server, tmp_path / "f", 900)


def test_beginning_longer_than_the_file_is_dropped(server: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 400_000)
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == server.files["/toy.bin"]


def test_server_that_is_busy_is_asked_again(server: Any, tmp_path: Path) -> None:
    server.statuses = [503, 429, 500]
    fetch(server, tmp_path / "f")
    assert len(server.requests) == 4


def test_missing_file_is_asked_for_once(server: Any, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(AssetError, match="404"):
        download(server.address(), tmp_path / "f", 10, lambda *_: None)
    assert len(server.requests) == 1


def test_always_breaking_at_once_ends(server: Any, tmp_path: Path) -> None:
    server.cut_after = 0
    with pytest.raises(AssetError, match="0 of 300000"):
        fetch(server, tmp_path / "f")
    assert len(server.requests) == 4


def test_nobody_answers(server: Any, tmp_path: Path) -> None:
    address = server.address()
    server.close()
    with pytest.raises(AssetError, match=r"cannot be reached.*refused"):
        download(address, tmp_path / "f", 10, lambda *_: None)


def test_longer_than_expected(server: Any, tmp_path: Path) -> None:
    server.trailing = b"more"
    with pytest.raises(AssetError, match="longer than the 300000 bytes"):
        fetch(server, tmp_path / "f")
