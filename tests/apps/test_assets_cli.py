"""``declaim assets``, through the command line."""

import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from declaim.apps.cli.assets import app
from declaim.assets import ASSETS, Asset, AssetFile, state
from declaim.assets.manifest import Web
from declaim.errors import AssetError

CONTENT = b"weights" * 1000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file of the asset ``toy``, which no network has; the cache is empty."""
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path / "home"))
    file = AssetFile("toy.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), (Web("http://127.0.0.1:9/toy"),))
    monkeypatch.setitem(ASSETS, "toy", Asset("toy", "being tested", "CC0-1.0", "this test", False, (file,)))
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "toy.bin").write_bytes(CONTENT)
    return tmp_path / "usb"


def run(*args: object) -> tuple[str, BaseException | None]:
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    return result.output, result.exception


def test_list_names_everything(folder: Path) -> None:
    output, fault = run("list")
    assert fault is None
    for asset in ASSETS.values():
        assert asset.name in output and asset.licence in output
    assert "not fetched" in output and "3.8 MB" in output and str(folder.parent / "home") in output.replace("\n", "")


def test_pull_verify_remove(folder: Path) -> None:
    told, fault = run("pull", "toy", "--from", folder)
    assert fault is None and state("toy") == "complete"
    assert "licence CC0-1.0" in told and "toy.bin" in told
    assert "here" in run("list")[0]
    assert run("verify", "toy") == ("good  toy\n", None)
    output, fault = run("remove", "toy")
    assert "removed toy" in output and fault is None and state("toy") == "absent"
    assert "was not here" in run("remove", "toy")[0]


def test_quiet_is_silent(folder: Path) -> None:
    for words in (("pull", "toy", "--quiet", "--from", folder), ("verify", "-q"), ("remove", "toy", "-q")):
        assert run(*words) == ("", None)


def test_corrupt_asset_fails_verification(folder: Path) -> None:
    run("pull", "toy", "--from", folder, "-q")
    (folder.parent / "home" / "assets" / "toy" / "toy.bin").write_bytes(bytes(len(CONTENT)))
    output, fault = run("verify")
    assert isinstance(fault, AssetError) and "toy is corrupt" in str(fault) and "good" not in output


def test_unreachable_source(folder: Path) -> None:
    _, fault = run("pull", "toy")
    assert isinstance(fault, AssetError)
    assert "cannot be reached" in str(fault) and "declaim assets pull toy --from FOLDER" in str(fault)


def test_pull_without_names_means_what_generating_needs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("declaim.apps.cli.assets.pull_with_bar", lambda name, **_: asked.append(name))
    run("pull")
    assert asked == ["face-landmarker", "whisper-tiny.en"]
    asked.clear()
    run("pull", "--all")
    assert asked == list(ASSETS)
