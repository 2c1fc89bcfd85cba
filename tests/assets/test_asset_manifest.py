"""The list of assets: complete, pinned, and as the licence page says."""

import re
from pathlib import Path

import pytest

from declaim.assets import ASSETS, lookup, shipped
from declaim.assets.manifest import Package, Web
from declaim.errors import AssetError

LICENCES = (Path(__file__).parents[2] / "MODEL_LICENCES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ASSETS)
def test_asset(name: str) -> None:
    asset = lookup(name)
    assert asset.name == name and asset.use and asset.origin
    assert asset.licence in ("Apache-2.0", "MIT", "CC0-1.0", "BSD-3-Clause")
    assert len({file.name for file in asset.files}) == len(asset.files) > 0
    for file in asset.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256) and file.n_bytes > 0
        assert file.sources
        for source in file.sources:
            if isinstance(source, Web):
                assert source.address.startswith("https://")
            else:
                pin = r"[\w.-]+==[\d.]+" if source.index == "pip" else r"[\w./-]+@[\d.]+"
                assert source.pieces and all(re.fullmatch(pin, requirement) for requirement, _ in source.pieces)


@pytest.mark.parametrize("name", ASSETS)
def test_every_asset_is_in_the_licence_page(name: str) -> None:
    row = next(line for line in LICENCES.splitlines() if line.startswith(f"| `{name}`"))
    assert ASSETS[name].licence in row


def test_every_shipped_asset_is_in_the_licence_page() -> None:
    for folder in shipped("face-model").parent.iterdir():
        assert f"| `{folder.name}` |" in LICENCES


def test_what_generating_needs_can_be_had_from_a_registry() -> None:
    for asset in ASSETS.values():
        if asset.required:
            assert all(any(isinstance(source, Package) for source in file.sources) for file in asset.files)


def test_unknown() -> None:
    with pytest.raises(AssetError, match="whisper-tiny"):
        lookup("whisper")
