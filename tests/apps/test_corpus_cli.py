"""`declaim corpus` from the command line."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from declaim.apps.cli.corpus import app, parse_size
from declaim.apps.cli.main import run
from declaim.data.corpus import Corpus
from declaim.errors import ConfigError

sys.path.append(str(Path(__file__).parents[1] / "data"))
from small_corpus import write_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write_corpus(tmp_path / "corpus")


def declaim(*args: object) -> int:
    """Exit code of the real entry point, in this process."""
    try:
        run(["corpus", *map(str, args)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_show(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert declaim("show", corpus.folder, "-o", tmp_path / "page.html", "--speakers", "ann", "--speakers", "cid") == 0
    assert "wrote" in capsys.readouterr().err
    assert (tmp_path / "page.html").read_text("utf-8").count("<article") == 4
    assert declaim("show", corpus.folder, "-o", tmp_path / "page.pdf") == 2
    assert declaim("show", tmp_path, "-o", tmp_path / "page.html") == 2
    assert "is no corpus" in capsys.readouterr().err


def test_verify(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    assert declaim("verify", corpus.folder) == 0
    assert "good" in capsys.readouterr().err
    corpus.path(corpus.clips[1], "motion").write_bytes(b"damaged")
    corpus.path(corpus.clips[2], "speech").unlink()
    assert declaim("verify", corpus.folder) == 2
    said = capsys.readouterr()
    assert said.out.split() == ["clips/ann_1/motion.safetensors", "clips/bob_0/speech.flac"]
    assert "2 of 29 files" in said.err


def test_shards(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert declaim("shards", corpus.folder, "-o", tmp_path / "shards", "--size", "1MB", "--keys", "motion") == 0
    assert "6 clips in 2 shards" in capsys.readouterr().err
    assert declaim("shards", corpus.folder, "-o", tmp_path / "shards", "--size", "lots") == 2
    assert "for instance 256MB" in capsys.readouterr().err


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = tmp_path / "data" / "TH_00001" / "000.mp4"
    video.parent.mkdir(parents=True)
    video.touch()
    assert declaim("import", "tfhp", tmp_path, "-o", tmp_path / "labels.csv") == 0
    assert "1 videos of 1 speakers" in capsys.readouterr().err
    assert (tmp_path / "labels.csv").read_text().splitlines()[1].startswith("data/TH_00001/000.mp4,tfhp-TH_00001,")
    assert declaim("import", "lrs3", tmp_path, "-o", tmp_path / "labels.csv") == 2
    assert "hdtf, voxceleb2, mead, tfhp" in capsys.readouterr().err


def test_help_has_examples() -> None:
    for command in ("show", "verify", "shards", "import"):
        assert "Example" in CliRunner().invoke(app, [command, "--help"]).output


@pytest.mark.parametrize(
    ("text", "size"), [("256MB", 256_000_000), ("1.5 GiB", 1_610_612_736), ("5000000", 5_000_000), ("2k", 2000)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1 XB", "1i"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ConfigError, match="for instance 256MB"):
        parse_size(text)
