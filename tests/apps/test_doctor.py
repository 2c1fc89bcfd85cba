"""``declaim doctor`` on this machine, and on machines with one thing wrong each."""

import os
import re
import shutil
import sys
from collections import namedtuple
from collections.abc import Callable, Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from declaim.apps.cli import health
from declaim.apps.cli.doctor import doctor
from declaim.apps.cli.health import Finding
from declaim.assets import ASSETS, shipped

app = Typer()
app.command()(doctor)


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(args))
    return result.exit_code, result.output


def only(findings: Iterable[Finding], level: str) -> list[Finding]:
    return [finding for finding in findings if finding.level == level]


def failing_import(name: str, error: Exception) -> Callable[[str], Any]:
    real = health._import

    def fake(wanted: str) -> Any:
        if wanted == name:
            raise error
        return real(wanted)

    return fake


def fill_assets(home: Path, *, content: bytes | None = None) -> None:
    """Files of the right names; of the right sizes too unless ``content`` is given."""
    for asset in ASSETS.values():
        for file in asset.files:
            path = home / "assets" / asset.name / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                stream.write(content or b"")
                if content is None:
                    stream.truncate(file.n_bytes)


def test_this_machine() -> None:
    code, output = run()
    assert code == 0, output
    for words in ("Python", "H.264 and AAC", "compiles", "cores", "free", "declaim can work here"):
        assert words in output
    assert "Traceback" not in output


def test_quiet_on_a_good_machine_says_nothing() -> None:
    assert run("--quiet") == (0, "")


def test_missing_libgl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(health, "_loads", lambda name: name not in ("libGL.so.1", "libEGL.so.1"))
    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    monkeypatch.setattr(health, "_import", failing_import("cv2", error))
    code, output = run("--quiet")
    assert code == 1
    assert "apt-get install libgl1 libegl1" in output
    assert "cv2" in output and "see the missing system libraries above" in output
    assert "2 things to put right" in output


def test_system_libraries_are_looked_for_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_loads", lambda name: False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert health.missing_system_libraries() == []
    monkeypatch.setattr(sys, "platform", "linux")
    assert health.missing_system_libraries() == list(health.SYSTEM_LIBRARIES)


def test_a_library_that_is_not_there_is_not_loaded() -> None:
    assert not health._loads("libdeclaim-nowhere.so.1")


@pytest.mark.parametrize("name", ["torch", "numba", "av"])
def test_missing_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_import", failing_import(name, ModuleNotFoundError(f"No module named '{name}'")))
    code, output = run("--quiet")
    assert code == 1 and f"No module named '{name}'" in output and "pip install" in output


def test_library_that_crashes_on_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_import", failing_import("scipy", RuntimeError("built for another numpy\nmore")))
    bad = only(health.libraries(), "bad")
    assert [finding.subject for finding in bad] == ["scipy"]
    assert "built for another numpy" in bad[0].text and "more" not in bad[0].text


def test_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    found = health.python_version()
    assert found.level == "bad" and "install Python 3.11" in found.text


def test_32_bit_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    assert "64-bit" in health.python_version().text


def fake_torch(*, cuda: bool = False, mps: bool = False, built_for: str | None = None) -> Any:
    return SimpleNamespace(
        __version__="9.9",
        get_num_threads=lambda: 4,
        cuda=SimpleNamespace(is_available=lambda: cuda, get_device_name=lambda _: "Big GPU"),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        version=SimpleNamespace(cuda=built_for),
    )


@pytest.mark.parametrize(
    ("build", "level", "words"),
    [
        (fake_torch(), "good", "for the CPU, 4 threads"),
        (fake_torch(cuda=True, built_for="12"), "good", "CUDA, Big GPU"),
        (fake_torch(mps=True), "good", "MPS"),
        (fake_torch(built_for="12"), "odd", "sees no GPU"),
    ],
)
def test_torch_builds(build: Any, level: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_import", lambda name: build)
    found = health.torch_build()
    assert found.level == level and words in found.text


def fake_numba(result: float = 42.0, *, disabled: bool = False) -> Any:
    return SimpleNamespace(
        __version__="9", config=SimpleNamespace(DISABLE_JIT=disabled), njit=lambda function: lambda x: result
    )


@pytest.mark.parametrize(
    ("build", "level", "words"),
    [
        (fake_numba(), "good", "compiles"),
        (fake_numba(41.0), "bad", "2 x 21 = 41"),
        (fake_numba(disabled=True), "odd", "NUMBA_DISABLE_JIT"),
    ],
)
def test_numba(build: Any, level: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_import", lambda name: build)
    found = health.numba_works()
    assert found.level == level and words in found.text


def test_missing_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def codec(name: str, mode: str) -> None:
        if name == "h264":
            raise ValueError(name)

    monkeypatch.setattr(
        health, "_import", lambda name: SimpleNamespace(__version__="9", codec=SimpleNamespace(Codec=codec))
    )
    found = health.video_encoders()
    assert found.level == "bad" and "cannot write h264;" in found.text


@pytest.mark.parametrize(
    ("affinity", "quota", "level"), [(1, "max 100000", "odd"), (8, "150000 100000", "odd"), (8, "", "good")]
)
def test_cores(affinity: int, quota: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    monkeypatch.setattr(health, "_read", lambda path: quota)
    assert health.cores().level == level


@pytest.mark.parametrize(
    ("files", "level"),
    [
        ({"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  8000000 kB\n"}, "good"),
        ({"/proc/meminfo": "MemAvailable:  2000000 kB\n"}, "odd"),
        ({"/proc/meminfo": "MemAvailable:  500000 kB\n"}, "bad"),
        (
            {
                "/proc/meminfo": "MemAvailable:  8000000 kB\n",
                "/sys/fs/cgroup/memory.max": "1000000000\n",
                "/sys/fs/cgroup/memory.current": "500000000\n",
            },
            "bad",
        ),
        ({}, "good"),
    ],
)
def test_memory(files: dict[str, str], level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_read", lambda path: files.get(path, ""))
    assert health.memory().level == level


@pytest.mark.parametrize(("free", "level"), [(10**12, "good"), (5 * 10**8, "odd"), (10**6, "bad")])
def test_disk(free: int, level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path / "not" / "yet"))
    usage = namedtuple("usage", "total used free")
    here = Path.cwd()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 10**13 if path == here else free))
    found = health.disk()
    assert found.level == level and str(tmp_path) in found.text


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path / "file" / "home"))
    found = health.cache_access()
    assert found.level == "bad" and "DECLAIM_HOME" in found.text


def test_cache_that_is_read_only_but_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path))
    fill_assets(tmp_path)

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert health.cache_access().level == "odd"


def test_assets_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path))
    monkeypatch.delenv("DECLAIM_OFFLINE", raising=False)
    found = list(health.asset_states())
    assert [f.subject for f in found] == [asset.name for asset in ASSETS.values() if asset.required]
    assert {f.level for f in found} == {"odd"} and "declaim assets pull face-landmarker" in found[0].text
    monkeypatch.setenv("DECLAIM_OFFLINE", "1")
    assert {f.level for f in health.asset_states()} == {"bad"}


@pytest.mark.parametrize("content", [None, b"cut short"])
def test_assets_corrupt(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path))
    fill_assets(tmp_path, content=content)
    found = {f.subject: f for f in health.asset_states()}
    assert found["face-landmarker"].level == "bad" and "corrupt" in found["face-landmarker"].text
    assert found["mobilefacenet"].level == "odd"


def test_every_shipped_part_is_looked_for() -> None:
    assert sorted(health.SHIPPED) == sorted(folder.name for folder in shipped("face-model").parent.iterdir())


def test_package_without_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SHIPPED", ("demo-portrait", "nothing"))
    found = health.shipped_parts()
    assert found.level == "bad" and "nothing missing" in found.text and "portrait" not in found.text


def test_command_that_needs_a_missing_system_library(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from declaim.apps.cli import main

    def broken(_: object) -> None:
        raise OSError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(health, "_loads", lambda name: name != "libEGL.so.1")
    monkeypatch.setattr(main, "app", broken)
    monkeypatch.delenv("DECLAIM_DEBUG", raising=False)
    with pytest.raises(SystemExit) as stopped:
        main.run([])
    assert stopped.value.code == 3
    assert "apt-get install libegl1" in capsys.readouterr().err


def test_libraries_looked_at_are_those_that_declaim_needs() -> None:
    needed = {re.split(r"[<>=!~ ;\[]", r)[0].lower() for r in requires("declaim") or () if "extra ==" not in r}
    owners = packages_distributions()
    for library in health.LIBRARIES:
        assert needed & {name.lower() for name in owners[library]}, library
