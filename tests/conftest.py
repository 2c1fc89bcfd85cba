"""Shapes are checked in every test: jaxtyping annotations run under beartype."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: small networks, busy machines

import pytest
from jaxtyping import install_import_hook

install_import_hook("declaim", "beartype.beartype")

FOOTAGE = Path(os.environ.get("DECLAIM_FOOTAGE", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def footage() -> Path:
    """Folder of the real talking footage (clips/ and manifest.csv); the test skips where it is absent."""
    if not (FOOTAGE / "manifest.csv").is_file():
        pytest.skip("real footage is not on this machine (set DECLAIM_FOOTAGE)")
    return FOOTAGE


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Call it with a package's name: until the test ends, importing that raises ImportError."""

    def take_away(package: str) -> None:
        for name in [n for n in sys.modules if n.startswith(f"{package}.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

    return take_away
