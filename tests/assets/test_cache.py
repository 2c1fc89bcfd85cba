"""Where things lie, and what is said when they do not."""

import sys
from pathlib import Path
from typing import Any

import pytest

from declaim.assets import Asset, cache_folder, locate, pull, remove, shipped, state, verify
from declaim.errors import AssetError


def test_cache_folder_on_every_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("DECLAIM_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    places = {}
    for platform in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        places[platform] = cache_folder().relative_to(tmp_path).as_posix()
    assert places == {
        "linux": ".cache/declaim",
        "darwin": "Library/Caches/declaim",
        "win32": "AppData/Local/declaim",
    }
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/declaim")
    monkeypatch.setenv("DECLAIM_HOME", "~/mine")
    assert cache_folder() == tmp_path / "mine"


def test_locate_says_what_to_run(toy: Asset) -> None:
    with pytest.raises(AssetError, match=r"not on this machine yet.*declaim assets pull toy"):
        locate("toy")


def test_locate_notices_a_truncated_file(toy: Asset, place: Path) -> None:
    pull("toy")
    place.write_bytes(place.read_bytes()[:-1])
    assert state("toy") == "corrupt"
    with pytest.raises(AssetError, match=r"corrupt.*declaim assets pull toy"):
        locate("toy")


def test_verify_notices_one_changed_bit(toy: Asset, place: Path) -> None:
    pull("toy")
    content = bytearray(place.read_bytes())
    content[12_345] ^= 1
    place.write_bytes(content)
    assert locate("toy") == place
    with pytest.raises(AssetError, match="corrupt"):
        verify("toy")


def test_remove(toy: Asset, server: Any, place: Path) -> None:
    assert remove("toy") == 0
    pull("toy")
    place.with_name("toy.bin.partial").write_bytes(b"12345")
    assert remove("toy") == 300_005
    assert state("toy") == "absent" and not place.parent.exists()


def test_shipped() -> None:
    assert (shipped("demo-portrait") / "portrait.png").is_file()
    assert (shipped("demo-speech") / "speech.flac").is_file()
    assert locate("demo-speech") == shipped("demo-speech")
    with pytest.raises(AssetError, match=r"does not ship 'nothing'; it ships .*demo-portrait, demo-speech"):
        shipped("nothing")


def test_every_shipped_asset_has_its_card() -> None:
    for folder in shipped("demo-portrait").parent.iterdir():
        assert (folder / "README.md").stat().st_size > 200, folder.name
