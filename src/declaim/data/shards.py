"""A corpus as tar files that can be streamed: from disks that dislike small files, or from an object store.

    SHARDS/
      corpus.json            as in the corpus
      shards.jsonl           one `ShardEntry` a line
      refused.jsonl          as in the corpus
      train-000000.tar       clips of split ``train``, one sample after the other:
                               NAME.json                     the clip's record
                               NAME.motion.safetensors       its files, under the record's keys
                               NAME.features-whisper-tiny.en-1.00.safetensors
                               NAME.flac                     speech
                               NAME.mp4                      picture

This is WebDataset's layout (a sample is a run of members that share the name up to the first dot; the key is a clip's
name, which has no dot), so its library reads them, and so does anything that reads tar. The same corpus gives the same
bytes: clips in order of name, times and owners zero.
"""

import hashlib
import io
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from declaim.data.corpus import (
    CORPUS_FILE,
    PICTURE,
    REFUSED_FILE,
    SPEECH,
    ClipRecord,
    Corpus,
    Refusal,
    read_info,
    read_lines,
    write_info,
    write_lines,
)
from declaim.errors import CheckpointError, ConfigError, Unwritable
from declaim.pretrained import atomic_file, write_error
from declaim.types import OnStep

SHARDS_FILE = "shards.jsonl"
RECORD = "json"
"""Member in which a sample's record is."""
MEMBERS = {SPEECH: "flac", PICTURE: "mp4"}
"""Ends of members that are not called as the record's key."""
SMALLEST_SHARD = 1_000_000
"""Bytes; less than that is a mistake in the unit."""
_BLOCK = 512  # of a tar file: members are padded to it, and each has a header of one


class ShardEntry(BaseModel):
    """One shard."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """Relative to the folder."""
    split: str
    clips: int
    frames: int
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str
    contents: str
    """Changes with the records and the choice of files: what is kept when a run goes on."""


def write_shards(
    corpus: Corpus,
    folder: Path,
    *,
    shard_bytes: int = 256_000_000,
    keys: Sequence[str] | None = None,
    on_step: OnStep | None = None,
) -> list[ShardEntry]:
    """Pack a corpus; shards that are there already are kept, so an interrupted run goes on.

    Args:
        corpus: its clips, usable or not; records say which are.
        folder: where the shards go; made if it is not there.
        shard_bytes: a new shard begins before this is exceeded; a clip is never divided.
        keys: only these files of each clip (None: all).
        on_step: called with (clips done, clips in all).

    Returns:
        The shards, by name.

    Raises:
        ConfigError: the folder holds something else, no clip has a wanted file, or the size is too small to be meant.
        CheckpointError: a file of the corpus is missing or differs from its checksum.
        Unwritable, CapacityError: the folder cannot be written.
    """
    folder = Path(folder)
    if shard_bytes < SMALLEST_SHARD:
        raise ConfigError(f"shards of {shard_bytes} bytes are too small; expected at least {SMALLEST_SHARD}")
    if keys is not None and (unknown := sorted(set(keys) - {key for clip in corpus.clips for key in clip.files})):
        raise ConfigError(f"no clip of {corpus.folder} has {unknown[0]}; see the files in its clips.jsonl")
    _claim(folder)
    earlier = {entry.path: entry for entry in read_shards(folder)} if (folder / SHARDS_FILE).is_file() else {}
    write_info(folder, corpus.info)
    write_lines(folder / REFUSED_FILE, read_lines(corpus.folder / REFUSED_FILE, Refusal))
    entries: dict[str, ShardEntry] = {}
    done = 0
    for name, clips in _plan(corpus.clips, shard_bytes, keys):
        entry, contents = earlier.get(name), _contents(clips, keys)
        if entry is None or entry.contents != contents or not _has_size(folder / name, entry.size):
            entry = _write_shard(corpus, folder / name, clips, keys, contents)
        entries[name] = entry
        done += len(clips)
        _write_index(folder, [*entries.values(), *(e for n, e in earlier.items() if n not in entries)])
        if on_step:
            on_step(done, len(corpus.clips))
    _write_index(folder, list(entries.values()))
    for left_over in earlier.keys() - entries.keys():
        (folder / left_over).unlink(missing_ok=True)
    return list(entries.values())


def read_shards(folder: Path) -> list[ShardEntry]:
    """The shards in a folder, by name.

    Raises:
        ConfigError: there are none.
        CheckpointError: the list is damaged, or the corpus is of another version.
    """
    read_info(folder)
    path = Path(folder) / SHARDS_FILE
    if not path.is_file():
        raise ConfigError(f"{folder} holds no shards: it has no {SHARDS_FILE}; make them with: declaim corpus shards")
    try:
        return [ShardEntry.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValidationError as error:
        raise CheckpointError(f"{path} is damaged: {error.errors()[0]['msg']}") from error


def member_name(clip: ClipRecord, key: str) -> str:
    """Name of the member of a shard that holds a file of a clip."""
    return f"{clip.name}.{MEMBERS.get(key, f'{key}.safetensors')}"


def _claim(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    except FileExistsError as error:
        raise Unwritable(f"cannot write shards to {folder}: there is a file of that name; choose another") from error
    except OSError as error:
        raise write_error(folder, error) from error
    if strangers and not (SHARDS_FILE in strangers or strangers == [CORPUS_FILE]):
        raise ConfigError(f"{folder} holds {strangers[0]} and no shards; give an empty or a new folder with -o")


def _plan(
    clips: Sequence[ClipRecord], shard_bytes: int, keys: Sequence[str] | None
) -> Iterator[tuple[str, list[ClipRecord]]]:
    """Which clips go into which shard."""
    splits: defaultdict[str, list[ClipRecord]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.name):
        if "." in clip.name or "/" in clip.name:
            raise ConfigError(f"clip {clip.name!r} cannot be packed: expected a name without dots and slashes")
        splits[re.sub(r"[^\w-]", "_", clip.split)].append(clip)
    for split, members in sorted(splits.items()):
        number, size, run = 0, 0, list[ClipRecord]()
        for clip in members:
            needed = _packed_bytes(clip, keys)
            if run and size + needed > shard_bytes:
                yield f"{split}-{number:06d}.tar", run
                number, size, run = number + 1, 0, []
            run.append(clip)
            size += needed
        yield f"{split}-{number:06d}.tar", run


def _packed_bytes(clip: ClipRecord, keys: Sequence[str] | None) -> int:
    sizes = [len(_json(clip)), *(clip.files[key].size for key in _chosen(clip, keys))]
    return sum(_BLOCK + -(-size // _BLOCK) * _BLOCK for size in sizes)


def _chosen(clip: ClipRecord, keys: Sequence[str] | None) -> list[str]:
    return [key for key in sorted(clip.files) if keys is None or key in keys]


def _json(clip: ClipRecord) -> bytes:
    return clip.model_dump_json(indent=1).encode()


def _contents(clips: Sequence[ClipRecord], keys: Sequence[str] | None) -> str:
    hashed = hashlib.sha256()
    for clip in clips:
        hashed.update(_json(clip) + " ".join(_chosen(clip, keys)).encode() + b"\n")
    return hashed.hexdigest()


def _write_shard(
    corpus: Corpus, path: Path, clips: Sequence[ClipRecord], keys: Sequence[str] | None, contents: str
) -> ShardEntry:
    with atomic_file(path) as partial:
        with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
            for clip in clips:
                _add(tar, f"{clip.name}.{RECORD}", _json(clip))
                for key in _chosen(clip, keys):
                    _add(tar, member_name(clip, key), _checked(corpus, clip, key))
        with partial.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = partial.stat().st_size
    return ShardEntry(
        path=path.name, split=clips[0].split, clips=len(clips), frames=sum(clip.frames for clip in clips), size=size,
        sha256=sha256, contents=contents,
    )  # fmt: skip


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # times, owners and groups are zero: the same corpus, the same bytes
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))


def _checked(corpus: Corpus, clip: ClipRecord, key: str) -> bytes:
    path = corpus.path(clip, key)
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != clip.files[key].sha256:
        raise CheckpointError(f"{path} is missing or damaged; repair the corpus by preparing it again")
    return data


def _write_index(folder: Path, entries: Sequence[ShardEntry]) -> None:
    with atomic_file(folder / SHARDS_FILE) as partial:
        partial.write_text("".join(entry.model_dump_json() + "\n" for entry in entries), encoding="utf-8")


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
