"""Pulling: trusted by hash alone, safe when killed, raced or out of disk; nothing half-right gets the file's name."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from declaim.assets import Asset, AssetFile, locate, pull, state, verify
from declaim.assets.manifest import Web
from declaim.errors import AssetError, CapacityError

PULL = """
import sys
from declaim.assets import ASSETS, Asset, AssetFile, pull
from declaim.assets.manifest import Web
address, n_bytes, sha256 = sys.argv[1:]
ASSETS["toy"] = Asset("toy", "", "", "", False, (AssetFile("toy.bin", int(n_bytes), sha256, (Web(address),)),))
print(pull("toy"))
"""


def pull_in_another_process(asset: Asset) -> "subprocess.Popen[bytes]":
    file = asset.files[0]
    command = [sys.executable, "-c", PULL, str(file.sources[0]), str(file.n_bytes), file.sha256]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def leftovers(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir() if path != place)


def test_pull_places_the_file(toy: Asset, server: Any, place: Path) -> None:
    steps: list[tuple[int, int]] = []
    assert state("toy") == "absent"
    assert pull("toy", lambda done, total: steps.append((done, total))) == place == locate("toy") == verify("toy")
    assert place.read_bytes() == server.files["/toy.bin"]
    assert leftovers(place) == []
    assert steps == sorted(steps) and steps[-1] == (300_000, 300_000)


def test_second_pull_is_offline(toy: Asset, server: Any, place: Path) -> None:
    pull("toy")
    server.close()
    server.requests.clear()
    assert pull("toy") == place
    assert server.requests == []


def test_right_file_already_there_is_kept(toy: Asset, server: Any, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_bytes(server.files["/toy.bin"])
    pull("toy")
    assert server.requests == []


def test_wrong_file_of_the_right_size_is_replaced(toy: Asset, server: Any, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(300_000))
    assert state("toy") == "complete" and state("toy", hashes=True) == "corrupt"
    pull("toy")
    assert place.read_bytes() == server.files["/toy.bin"]


def test_wrong_hash_is_refused(toy: Asset, server: Any, place: Path) -> None:
    server.files["/toy.bin"] = bytes(300_000)
    with pytest.raises(AssetError, match=r"wrong file.*--from FOLDER"):
        pull("toy")
    assert not place.exists() and leftovers(place) == []
    assert state("toy") == "absent"


def test_next_source_is_tried(add_asset: Callable[..., Asset], server: Any, place: Path) -> None:
    server.files |= {"/good.bin": server.files["/toy.bin"], "/toy.bin": bytes(300_000)}
    add_asset(Web(server.address("/none.bin")), Web(server.address()), Web(server.address("/good.bin")))
    steps: list[int] = []
    pull("toy", lambda done, _: steps.append(done))
    assert [path for path, _ in server.requests] == ["/none.bin", "/toy.bin", "/good.bin"]
    assert place.read_bytes() == server.files["/good.bin"]
    assert steps == sorted(steps)


def test_every_fault_is_named(add_asset: Callable[..., Asset], server: Any, home: Path) -> None:
    add_asset(Web(server.address("/one.bin")), Web(server.address("/two.bin")))
    with pytest.raises(AssetError, match=r"one\.bin.*404.*two\.bin.*404"):
        pull("toy")


def test_broken_pull_goes_on_next_time(toy: Asset, server: Any, place: Path) -> None:
    server.cut_after, server.statuses = 0, []
    place.parent.mkdir(parents=True)
    begun = place.with_name("toy.bin.partial")
    begun.write_bytes(server.files["/toy.bin"][:200_000])
    with pytest.raises(AssetError):
        pull("toy")
    assert begun.stat().st_size == 200_000 and state("toy") == "incomplete"
    server.cut_after = None
    server.requests.clear()
    pull("toy")
    assert server.requests == [("/toy.bin", "bytes=200000-")]
    assert place.read_bytes() == server.files["/toy.bin"]


def test_damaged_beginning_is_noticed(toy: Asset, server: Any, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.with_name("toy.bin.partial").write_bytes(bytes(200_000))
    pull("toy")
    assert [r for _, r in server.requests] == ["bytes=200000-", None]
    assert place.read_bytes() == server.files["/toy.bin"]


def test_finished_but_unnamed_file_needs_no_network(toy: Asset, server: Any, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.with_name("toy.bin.partial").write_bytes(server.files["/toy.bin"])
    pull("toy")
    assert server.requests == []


def test_two_processes_fetch_once(toy: Asset, server: Any, place: Path) -> None:
    server.pause_s = 0.02
    both = [pull_in_another_process(toy) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        assert out.decode().strip() == str(place)
    assert len(server.requests) == 1
    assert place.read_bytes() == server.files["/toy.bin"] and leftovers(place) == []


def test_two_threads_fetch_once(toy: Asset, server: Any, place: Path) -> None:
    server.pause_s = 0.01
    both = [threading.Thread(target=pull, args=("toy",)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(30)
    assert len(server.requests) == 1 and place.read_bytes() == server.files["/toy.bin"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_process_leaves_a_beginning_and_no_lock(toy: Asset, server: Any, place: Path) -> None:
    server.pause_s = 0.1
    process = pull_in_another_process(toy)
    begun = place.with_name("toy.bin.partial")
    deadline = time.monotonic() + 60
    while not (begun.exists() and begun.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    held = begun.stat().st_size
    assert 0 < held < 300_000 and not place.exists()
    (place.parent / ".scratch-old").mkdir(exist_ok=True)
    server.pause_s = 0
    pull("toy")
    assert server.requests[-1] == ("/toy.bin", f"bytes={held}-")
    assert place.read_bytes() == server.files["/toy.bin"] and leftovers(place) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_disk_that_fills_up_while_writing(toy: Asset, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.with_name("toy.bin.partial").symlink_to("/dev/full")
    with pytest.raises(CapacityError, match=r"full.*DECLAIM_HOME"):
        pull("toy")
    assert not place.exists()


def test_full_disk_is_noticed_before_fetching(
    toy: Asset, server: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 1_000_000))
    with pytest.raises(CapacityError, match=r"MiB free.*DECLAIM_HOME"):
        pull("toy")
    assert server.requests == []


def test_cache_folder_that_cannot_be_made(toy: Asset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(AssetError, match=r"cannot write the cache folder.*DECLAIM_HOME"):
        pull("toy")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_cache_folder_that_is_read_only(toy: Asset, home: Path) -> None:
    home.mkdir()
    home.chmod(0o555)
    with pytest.raises(AssetError, match="cannot write the cache folder"):
        pull("toy")


def test_from_a_folder(toy: Asset, server: Any, place: Path, tmp_path: Path) -> None:
    (tmp_path / "toy.bin").write_bytes(server.files["/toy.bin"])
    assert pull("toy", folder=tmp_path) == place
    assert server.requests == []


def test_from_a_folder_with_a_wrong_file(toy: Asset, place: Path, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"must hold a file named toy\.bin"):
        pull("toy", folder=tmp_path)
    (tmp_path / "toy.bin").write_bytes(b"wrong")
    with pytest.raises(AssetError, match="wrong file"):
        pull("toy", folder=tmp_path)
    assert not place.exists() and leftovers(place) == []


def test_several_files_make_a_folder(add_asset: Callable[..., Asset], server: Any, place: Path) -> None:
    server.files["/more.json"] = b"{}"
    more = AssetFile("more.json", 2, hashlib.sha256(b"{}").hexdigest(), (Web(server.address("/more.json")),))
    add_asset(Web(server.address()), extra=(more,))
    assert pull("toy") == place.parent
    (place.parent / "more.json").unlink()
    assert state("toy") == "incomplete"
    server.requests.clear()
    pull("toy")
    assert [path for path, _ in server.requests] == ["/more.json"]


def test_unknown_name(home: Path) -> None:
    with pytest.raises(AssetError, match=r"no asset 'nothing'; there are: face-landmarker"):
        pull("nothing")
