"""Every mistake a user can make: one clear sentence, exit code 2, no partial output left."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from declaim.assets import shipped


def declaim(*args: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "declaim.apps.cli.main", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **env}, timeout=280, check=False
    )


def one_sentence(result: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert result.returncode == code, result.stderr
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture(scope="session")
def portrait() -> Path:
    return next(shipped("demo-portrait").glob("portrait.*"))


@pytest.fixture(scope="session")
def speech() -> Path:
    return next(shipped("demo-speech").glob("speech.*"))


def test_missing_portrait(tmp_path: Path, speech: Path) -> None:
    one_sentence(declaim("generate", tmp_path / "no.jpg", speech, "-o", tmp_path / "o.mp4"), "no.jpg", "does not exist")


def test_empty_speech(tmp_path: Path, portrait: Path) -> None:
    (tmp_path / "empty.wav").touch()
    one_sentence(declaim("generate", portrait, tmp_path / "empty.wav", "-o", tmp_path / "o.mp4"), "empty")


def test_output_folder_missing(tmp_path: Path, portrait: Path, speech: Path) -> None:
    one_sentence(declaim("generate", portrait, speech, "-o", tmp_path / "no" / "o.mp4"), "does not exist", "create")


def test_output_suffix_unknown(tmp_path: Path, portrait: Path, speech: Path) -> None:
    one_sentence(declaim("generate", portrait, speech, "-o", tmp_path / "o.exe"), ".mp4")


def test_no_face(tmp_path: Path, speech: Path) -> None:
    Image.fromarray(np.full((300, 300, 3), 127, np.uint8)).save(tmp_path / "wall.png")
    one_sentence(declaim("generate", tmp_path / "wall.png", speech, "-o", tmp_path / "o.mp4"), "no face")
    assert not (tmp_path / "o.mp4").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["wall.png"]


def test_text_as_portrait(tmp_path: Path, speech: Path) -> None:
    (tmp_path / "letter.jpg").write_text("Dear face,")
    one_sentence(declaim("generate", tmp_path / "letter.jpg", speech, "-o", tmp_path / "o.mp4"), "letter.jpg")


def test_text_as_speech(tmp_path: Path, portrait: Path) -> None:
    (tmp_path / "words.wav").write_text("Dear ear,")
    one_sentence(declaim("generate", portrait, tmp_path / "words.wav", "-o", tmp_path / "o.mp4"), "words.wav")


def test_picture_as_speech(tmp_path: Path, portrait: Path) -> None:
    one_sentence(declaim("motion", portrait, "-o", tmp_path / "o.npz"), portrait.name)


def test_unknown_option_values(tmp_path: Path, portrait: Path, speech: Path) -> None:
    one_sentence(declaim("generate", portrait, speech, "--crop", "face", "-o", tmp_path / "o.mp4"), "none or head")
    one_sentence(declaim("generate", portrait, speech, "--method", "magic", "-o", tmp_path / "o.mp4"), "fd2talk")


def test_npz_of_another_kind(tmp_path: Path, portrait: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    one_sentence(declaim("render", portrait, tmp_path / "other.npz", "-o", tmp_path / "o.mp4"), "other.npz")


def test_usage_errors_exit_with_two() -> None:
    result = declaim("generate", "--nonsense")
    assert result.returncode == 2
    assert "--nonsense" in result.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(tmp_path: Path, portrait: Path, speech: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    one_sentence(declaim("generate", portrait, speech, "-o", folder / "o.mp4"), "read-only")


def test_full_disk_leaves_nothing(tmp_path: Path, portrait: Path, speech: Path) -> None:
    """A file-size limit, set when writing begins, stands in for the full disk: the system call fails alike."""
    code = """if True:
        import resource, signal, sys
        from declaim import pipeline
        from declaim.apps.cli.main import run

        def write_on_full_disk(self, path, on_step=None, write=pipeline.Clip.write):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
            return write(self, path, on_step)

        pipeline.Clip.write = write_on_full_disk
        run(sys.argv[1:])
    """
    out = tmp_path / "o.mp4"
    command = [sys.executable, "-c", code, "generate", str(portrait), str(speech), "-o", str(out), "--size", "256"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    one_sentence(result, "o.mp4", "free some space", code=3)
    assert list(tmp_path.iterdir()) == []
