"""The page of a corpus: everything in it, nothing from elsewhere, no text of a corpus taken for markup."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from small_corpus import write_corpus

from declaim.data.corpus import CLIPS_FILE, Corpus, write_lines
from declaim.data.page import Budget, write_page
from declaim.data.page.figures import Curve, Lane, histogram_svg, lanes_svg
from declaim.errors import ConfigError, Unwritable


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "small", per_speaker=3)


class Elements(HTMLParser):
    """Start tags with their attributes; checks that tags close in order."""

    VOID = frozenset({"meta", "input", "br", "rect", "line", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attrs[name] or "" for t, attrs in self.found if t == tag and name in attrs]


def test_page_is_whole_and_needs_nothing(corpus: Corpus, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    assert write_page(corpus, tmp_path / "page.html", on_step=lambda *step: steps.append(step)) == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    page = Elements(text)
    cards = [attrs for tag, attrs in page.found if tag == "article"]
    assert len(cards) == 9
    assert steps == [(n, 9) for n in range(1, 10)]
    assert len(page.attributes("video", "src")) == 8
    assert len(page.attributes("audio", "src")) == 9
    for address in page.attributes("video", "src") + page.attributes("audio", "src"):
        assert address.startswith(("data:video/mp4;base64,", "data:audio/flac;base64,"))
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import|https?://", text)
    for word in (
        "several faces",
        "not used",
        "no face was found in any of its frames",
        "cid",
        "eval",
        "whisper-tiny.en",
    ):
        assert word in text
    assert "|train|" in (cards[0]["data-text"] or "")
    assert "|not used|" in (cards[0]["data-text"] or "")


def test_large_media_are_linked(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    linked = write_page(corpus, tmp_path / "deep" / "page.html", embedded=Budget(10**9, 0))
    page = Elements((tmp_path / "deep" / "page.html").read_text("utf-8"))
    addresses = page.attributes("video", "src") + page.attributes("audio", "src")
    assert linked == len(addresses) == 17
    for address in addresses:
        assert (tmp_path / "deep" / address).is_file()


def test_clips_are_dealt_over_speakers(corpus: Corpus, tmp_path: Path) -> None:
    write_page(corpus, tmp_path / "page.html", most=4)
    shown = re.findall(r"<h3>(.*?)</h3>", (tmp_path / "page.html").read_text("utf-8"))
    assert shown == ["ann_0", "ann_1", "bob_0", "cid_0"]
    write_page(corpus, tmp_path / "page.html", speakers=["bob"])
    shown = re.findall(r"<h3>(.*?)</h3>", (tmp_path / "page.html").read_text("utf-8"))
    assert shown == ["bob_0", "bob_1", "bob_2"]


def test_text_is_not_markup(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c", ("ann",), 2)
    nasty = '<script>alert("x")</script>'
    clips = [clip.model_copy(update={"speaker": nasty, "flags": (nasty,)}) for clip in corpus.clips]
    write_lines(corpus.folder / CLIPS_FILE, clips)
    write_page(Corpus(corpus.folder), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert nasty not in text
    assert len(Elements(text).attributes("script", "src")) == 0


def test_mistakes(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no speaker 'zoe'; it has ann, bob, cid"):
        write_page(corpus, tmp_path / "page.html", speakers=["zoe"])
    with pytest.raises(Unwritable):
        write_page(corpus, tmp_path / "absent" / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_histogram_counts_everything() -> None:
    svg = histogram_svg([-99.0, 0.2, 0.4, 1.0, 99.0], "x", "s", [0.0, 1.0, 2.0])
    assert re.findall(r"<title>(.*?)</title>", svg) == ["0 to 1 s: 3", "1 to 2 s: 2"]
    assert "not measured" in histogram_svg([], "x", "s", [0.0, 1.0, 2.0])


def test_long_curves_keep_their_peaks() -> None:
    values = np.zeros(20_000)
    values[12_345] = 5.0
    svg = lanes_svg([Lane("x", [Curve("x", values, "c1")], 1.0)], None, [True] * 20_000, 25.0)
    path = re.search(r' d="(.*?)"', svg)
    assert path is not None
    heights = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path[1])]
    assert len(heights) < 1000
    assert heights.count(min(heights)) == 1


def test_curves_break_where_no_face_was_seen() -> None:
    values = np.sin(np.arange(50) / 5)
    valid = np.ones(50, bool)
    valid[20:25] = False
    svg = lanes_svg(
        [Lane("x", [Curve("x", np.where(valid, values, np.nan), "c1")], 1.0)], [True] * 50, valid.tolist(), 25.0
    )
    assert len(re.findall("M", re.search(r' d="(.*?)"', svg)[1])) == 2  # type: ignore[index]
    assert svg.count('class="lost"') == svg.count('class="speech"') == 1
