"""Shards: the same bytes for the same corpus, read back by ourselves, by tarfile and by WebDataset's own library."""

import gc
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_corpus import ENCODER, write_corpus

from declaim.data.corpus import Corpus, features_key
from declaim.data.shards import ShardEntry, read_shards, write_shards
from declaim.data.streaming import Sample, stream_samples
from declaim.errors import CheckpointError, ConfigError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "c", ("ann", "bob", "cid", "dan"), 4)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """A size that holds two or three of these clips."""
    monkeypatch.setattr("declaim.data.shards.SMALLEST_SHARD", 1)
    return 100_000


def names(samples: Iterator[Sample]) -> list[str]:
    return [sample.record.name for sample in samples]


def test_same_bytes(corpus: Corpus, tmp_path: Path, small: int) -> None:
    first = write_shards(corpus, tmp_path / "a", shard_bytes=small)
    second = write_shards(Corpus(corpus.folder), tmp_path / "b", shard_bytes=small)
    assert first == second == read_shards(tmp_path / "a")
    assert {entry.split for entry in first} == {"train", "eval"}
    assert sum(entry.split == "train" for entry in first) > 2
    for entry in first:
        data = (tmp_path / "a" / entry.path).read_bytes()
        assert data == (tmp_path / "b" / entry.path).read_bytes()
        assert len(data) == entry.size <= small + 20_480  # the end of a tar file is filled up
    assert sum(entry.clips for entry in first) == 16


def test_everything_comes_back(corpus: Corpus, tmp_path: Path, small: int) -> None:
    write_shards(corpus, tmp_path / "s", shard_bytes=small)
    found = {sample.record.name: sample for sample in stream_samples(tmp_path / "s", usable=False)}
    assert found.keys() == {clip.name for clip in corpus.clips}
    for clip in corpus.clips:
        sample = found[clip.name]
        assert sample.record == clip
        assert sample.data == {key: corpus.path(clip, key).read_bytes() for key in clip.files}
    clip = corpus.clips[1]
    motion = found[clip.name].tensors("motion")
    assert torch.equal(motion["motion"], corpus.motion(clip).values)
    with pytest.raises(ConfigError, match="no track of clip"):
        found[clip.name].tensors("track")


def test_plain_tar(corpus: Corpus, tmp_path: Path) -> None:
    (entry, *_) = write_shards(corpus, tmp_path / "s", keys=["motion", "speech", "picture", features_key(ENCODER)])
    with tarfile.open(tmp_path / "s" / entry.path) as tar:
        members = tar.getmembers()
        assert [m.name for m in members][:5] == [
            "dan_0.json", f"dan_0.features-{ENCODER}-1.00.safetensors", "dan_0.motion.safetensors", "dan_0.mp4",
            "dan_0.flac",
        ]  # fmt: skip
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its file open
def test_webdataset_reads_them(corpus: Corpus, tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset")
    write_shards(corpus, tmp_path / "s")
    read = wds.WebDataset(str(tmp_path / "s" / "eval-000000.tar"), shardshuffle=False)
    found = {sample["__key__"]: sample for sample in read}
    del read
    gc.collect()
    ours = {sample.record.name: sample for sample in stream_samples(tmp_path / "s", ["eval"])}
    assert found.keys() == ours.keys() == {f"dan_{n}" for n in range(4)}
    for name, sample in ours.items():
        theirs = found[name]
        assert json.loads(theirs["json"]) == json.loads(sample.record.model_dump_json())
        assert theirs["motion.safetensors"] == sample.data["motion"]
        assert theirs["flac"] == sample.data["speech"]
        assert theirs["mp4"] == sample.data["picture"]
        assert theirs[f"{features_key(ENCODER)}.safetensors"] == sample.data[features_key(ENCODER)]


@pytest.mark.parametrize("ranks", [1, 2, 3, 50])
def test_every_clip_once_over_all_ranks(corpus: Corpus, tmp_path: Path, small: int, ranks: int) -> None:
    write_shards(corpus, tmp_path / "s", shard_bytes=small)
    for seed in (None, 4):
        read = [names(stream_samples(tmp_path / "s", seed=seed, rank=rank, ranks=ranks)) for rank in range(ranks)]
        everything = [name for part in read for name in part]
        assert sorted(everything) == sorted(clip.name for clip in corpus.clips if clip.usable)
        assert min(map(len, read)) > 0 or ranks == 50


def test_data_loader_workers_share_the_shards(corpus: Corpus, tmp_path: Path, small: int) -> None:
    write_shards(corpus, tmp_path / "s", shard_bytes=small)

    class Names(torch.utils.data.IterableDataset[str]):
        def __iter__(self) -> Iterator[str]:
            return (sample.record.name for sample in stream_samples(tmp_path / "s", ["train"]))

    loader = torch.utils.data.DataLoader(Names(), batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert sorted(loader) == sorted(clip.name for clip in corpus.clips if clip.split == "train" and clip.usable)


def test_order(corpus: Corpus, tmp_path: Path, small: int) -> None:
    write_shards(corpus, tmp_path / "s", shard_bytes=small)

    def order(**how: int) -> list[str]:
        return names(stream_samples(tmp_path / "s", ["train"], **how))  # type: ignore[arg-type]

    assert order() == sorted(order())
    assert order(seed=1, buffer=5) == order(seed=1, buffer=5)
    assert order(seed=1, buffer=5) != order(seed=2, buffer=5)
    assert order(seed=1, buffer=5, epoch=1) != order(seed=1, buffer=5)
    assert order(seed=1, buffer=5) != order(seed=1)


def test_goes_on_and_follows_the_corpus(tmp_path: Path, small: int) -> None:
    corpus = write_corpus(tmp_path / "c")
    out = tmp_path / "s"
    entries = write_shards(corpus, out, shard_bytes=small)
    stamps = {entry.path: (out / entry.path).stat().st_mtime_ns for entry in entries}
    (out / entries[0].path).write_bytes(b"cut off")
    write_shards(corpus, out, shard_bytes=small)
    changed = [path for path, stamp in stamps.items() if (out / path).stat().st_mtime_ns != stamp]
    assert changed == [entries[0].path]
    corpus.clips = [clip for clip in corpus.clips if clip.split == "train"]
    left = write_shards(corpus, out, shard_bytes=small)
    assert sorted(p.name for p in out.glob("*.tar")) == [entry.path for entry in left]
    assert {entry.split for entry in left} == {"train"}


def test_damage_is_noticed(corpus: Corpus, tmp_path: Path, small: int) -> None:
    entries = write_shards(corpus, tmp_path / "s", shard_bytes=small)
    victim = tmp_path / "s" / entries[1].path
    whole = victim.read_bytes()
    chance = random.Random(0)
    for cut in (0, 512, *(chance.randrange(1, len(whole) - 20_000) for _ in range(5))):
        victim.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match=entries[1].path):
            list(stream_samples(tmp_path / "s"))
    victim.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        list(stream_samples(tmp_path / "s"))


def test_opener(corpus: Corpus, tmp_path: Path) -> None:
    entries = write_shards(corpus, tmp_path / "s")
    asked: list[ShardEntry] = []

    def opener(shard: ShardEntry):  # type: ignore[no-untyped-def]
        asked.append(shard)
        return (tmp_path / "s" / shard.path).open("rb")

    list(stream_samples(tmp_path / "s", opener=opener))
    assert asked == entries


def test_mistakes(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c")
    with pytest.raises(ConfigError, match="too small"):
        write_shards(corpus, tmp_path / "s", shard_bytes=256)
    with pytest.raises(ConfigError, match=r"no clip of .* has track"):
        write_shards(corpus, tmp_path / "s", keys=["track"])
    with pytest.raises(ConfigError, match="holds clips and no shards"):
        (tmp_path / "full" / "clips").mkdir(parents=True)
        write_shards(corpus, tmp_path / "full")
    with pytest.raises(ConfigError, match="make them with: declaim corpus shards"):
        list(stream_samples(corpus.folder))
    write_shards(corpus, tmp_path / "s")
    with pytest.raises(ConfigError, match="no shard of split test"):
        stream_samples(tmp_path / "s", ["test"])
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        stream_samples(tmp_path / "s", rank=2, ranks=2)
    corpus.path(corpus.clips[1], "motion").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="damaged"):
        write_shards(corpus, tmp_path / "t")
    assert not list((tmp_path / "t").glob("train-*"))
