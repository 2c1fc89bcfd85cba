"""The command: whatever happens to it, running it again completes the corpus; every mistake is one sentence."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from talking_scenes import LEVEL_ENCODER, babble, write_talking

from declaim import registry
from declaim.apps.cli.main import run
from declaim.assets import state
from declaim.data.corpus import Corpus
from declaim.data.prepare import PrepareOptions, find_sources, prepare_corpus
from declaim.media import write_audio

pytestmark = pytest.mark.skipif(
    state("face-landmarker") != "complete", reason="not fetched: declaim assets pull face-landmarker"
)

LIMITED = """if True:
    import resource, signal, sys
    from declaim.apps.cli.main import run
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    run(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Has an installed package that brings the quick encoder; processes started anew find it, too."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "level_encoder-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: level-encoder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[declaim.encoders]\nlevel = {LEVEL_ENCODER}\n")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parent}", "OMP_NUM_THREADS": "1"}


def command(*args: object, code: str | None = None) -> list[str]:
    start = ["-m", "declaim.apps.cli.main"] if code is None else ["-c", code]
    return [sys.executable, *start, "prepare", *map(str, args)]


def declaim(*args: object, env: dict[str, str], code: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*args, code=code), env=env, capture_output=True, text=True, timeout=280, check=False)


def one_sentence(result: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert result.returncode == code, result.stderr
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in lines[0], lines[0]


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_full_disk_kill_and_two_workers_change_nothing(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    videos, output = tmp_path / "my vidéos", tmp_path / "out put"
    videos.mkdir()
    for i, name in enumerate(("a b.mp4", "b/ü.mkv", "c.mov")):
        (videos / name).parent.mkdir(exist_ok=True)
        write_talking(videos / name, 1.2, seed=i)
    options = (videos, "-o", output, "--encoder", "level", "--tempos", "1 0.9", "--picture-px", 64)

    one_sentence(declaim(*options, env=environment, code=LIMITED), "free some space", code=3)
    assert not list(output.rglob("*.partial*"))

    with subprocess.Popen(command(*options), env=environment, stderr=subprocess.DEVNULL) as process:
        give_up = time.monotonic() + 120
        while not (output / "work" / "a_b.json").is_file() and process.poll() is None:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    done = {path: path.stat().st_mtime_ns for path in (output / "clips" / "a_b").iterdir()}
    assert done

    result = declaim(*options, "--workers", 2, env=environment)
    assert result.returncode == 0, result.stderr
    assert "3 clips" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in (output / "clips" / "a_b").iterdir()} == done

    monkeypatch.setitem(registry.ENCODERS, "level", LEVEL_ENCODER)
    undisturbed = PrepareOptions(encoder="level", tempos=(1.0, 0.9), picture_px=64)
    prepare_corpus(*find_sources(videos, None, undisturbed), tmp_path / "reference", undisturbed)
    assert tree(output) == tree(tmp_path / "reference")
    assert [clip.source for clip in Corpus(output).clips] == ["a b.mp4", "b/ü.mkv", "c.mov"]


def test_mistakes_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(registry.ENCODERS, "level", LEVEL_ENCODER)

    def mistake(*args: object) -> str:
        with pytest.raises(SystemExit) as stopped:
            run(["prepare", *map(str, args), "-o", str(tmp_path / "out")])
        assert stopped.value.code == 2
        (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error:"))
        return line

    (tmp_path / "empty").mkdir()
    assert "no video" in mistake(tmp_path / "empty")
    assert "no folder" in mistake(tmp_path / "gone")
    (tmp_path / "sound").mkdir()
    write_audio(tmp_path / "sound" / "a.flac", babble(1))
    assert "whisper-tiny.en" in mistake(tmp_path / "sound", "--encoder", "magic")
    assert "from 0.5 to 2" in mistake(tmp_path / "sound", "--encoder", "level", "--tempos", "5")
    assert "expected numbers" in mistake(tmp_path / "sound", "--encoder", "level", "--tempos", "fast")
    assert "--picture-px" in mistake(tmp_path / "sound", "--encoder", "level", "--picture-px", "65")
    assert not (tmp_path / "out").exists()
    assert "no moving picture" in mistake(tmp_path / "sound", "--encoder", "level")
