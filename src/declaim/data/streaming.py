"""Clips out of shards, one after the other: a plain iterator, for training on more data than a disk's cache holds.

    for sample in stream_samples("shards", ["train"], seed=0, epoch=3, buffer=500, rank=1, ranks=8):
        motion = sample.tensors("motion")["motion"]

Over all readers of an epoch every clip comes exactly once. Where there are at least as many shards as readers, each
reader has shards of its own and reads nothing else; with fewer shards the clips of every shard are dealt in turn.
"""

import random
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import safetensors.torch
from pydantic import ValidationError
from torch import Tensor
from torch.utils.data import get_worker_info

from declaim.data.corpus import ClipRecord
from declaim.data.shards import MEMBERS, RECORD, ShardEntry, read_shards
from declaim.errors import CheckpointError, ConfigError

Opener = Callable[[ShardEntry], IO[bytes]]
"""Opens a shard for reading from its start; seeking is not needed."""
_KEYS = {end: key for key, end in MEMBERS.items()}


@dataclass(frozen=True, eq=False)
class Sample:
    """One clip out of a shard.

    Attributes:
        record: the clip's record.
        data: its files' bytes by the record's keys.
    """

    record: ClipRecord
    data: dict[str, bytes]

    def tensors(self, key: str) -> dict[str, Tensor]:
        """What a safetensors file holds, for instance ``tensors("motion")["motion"]``.

        Raises:
            ConfigError: the shard has no such file of the clip.
        """
        if key not in self.data:
            raise ConfigError(f"the shard has no {key} of clip {self.record.name}; it has {', '.join(self.data)}")
        return dict(safetensors.torch.load(self.data[key]))


def stream_samples(
    folder: Path,
    splits: Sequence[str] | None = None,
    *,
    usable: bool = True,
    seed: int | None = None,
    epoch: int = 0,
    buffer: int = 1,
    rank: int = 0,
    ranks: int = 1,
    opener: Opener | None = None,
) -> Iterator[Sample]:
    """Read the clips of some splits; in worker processes of a torch ``DataLoader`` each worker reads its part.

    Args:
        folder: with ``shards.jsonl``, and the shards unless ``opener`` finds them elsewhere.
        splits: which (None: all).
        usable: leave out clips that are not usable.
        seed: of the order; None keeps the order of names.
        epoch: another epoch, another order of the same seed.
        buffer: clips held in memory, of which the next one is drawn; more mixes better.
        rank: number of this process among ``ranks``.
        ranks: processes that read together.
        opener: opens a shard that is not a file, for instance in an object store.

    Raises:
        ConfigError: no shards, none of these splits, or a rank out of range.
        CheckpointError: a shard is missing, cut off or damaged.
    """
    if not 0 <= rank < ranks:
        raise ConfigError(f"rank {rank} of {ranks} ranks; expected 0 to {ranks - 1}")
    shards = [shard for shard in read_shards(folder) if splits is None or shard.split in splits]
    if not shards:
        raise ConfigError(f"{folder} has no shard of split {' or '.join(splits or ())}")
    worker = get_worker_info()
    workers, number = (1, 0) if worker is None else (worker.num_workers, worker.id)
    readers, reader = ranks * workers, rank * workers + number
    if seed is not None:
        random.Random(f"{seed} {epoch}").shuffle(shards)  # the same for all readers
    samples = _dealt(shards, readers, reader, opener or (lambda shard: _open(Path(folder) / shard.path)))
    chosen = (sample for sample in samples if sample.record.usable or not usable)
    return chosen if seed is None else _mixed(chosen, buffer, random.Random(f"{seed} {epoch} {reader}"))


def _dealt(shards: Sequence[ShardEntry], readers: int, reader: int, opener: Opener) -> Iterator[Sample]:
    if len(shards) >= readers:
        for shard in shards[reader::readers]:
            yield from _read(shard, opener)
        return
    number = 0
    for shard in shards:
        yield from _read(shard, opener, lambda i, first=number: (first + i) % readers == reader)
        number += shard.clips


def _read(shard: ShardEntry, opener: Opener, wanted: Callable[[int], bool] = lambda _: True) -> Iterator[Sample]:
    """Samples of one shard whose number is wanted; the others are skipped unread."""
    number = -1
    record: ClipRecord | None = None
    data: dict[str, bytes] = {}
    try:
        with opener(shard) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                _, _, end = member.name.partition(".")
                if end == RECORD:
                    if record is not None:
                        yield Sample(record, data)
                    number += 1
                    record, data = None, {}
                if wanted(number):
                    content = _content(tar, member)
                    if end == RECORD:
                        record = ClipRecord.model_validate_json(content)
                    else:
                        data[_KEYS.get(end, end.removesuffix(".safetensors"))] = content
    except (OSError, tarfile.TarError, ValidationError, EOFError) as error:
        raise CheckpointError(f"shard {shard.path} is missing or damaged ({error}); make it again") from error
    if record is not None:
        yield Sample(record, data)
    if number + 1 != shard.clips:
        raise CheckpointError(f"shard {shard.path} is cut off: it has {number + 1} of {shard.clips} clips")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    content = stream.read() if stream else b""
    if len(content) != member.size:
        raise EOFError(f"{member.name} is cut off")
    return content


def _mixed(samples: Iterable[Sample], buffer: int, chance: random.Random) -> Iterator[Sample]:
    """Draws from a buffer that is kept full."""
    held: list[Sample] = []
    for sample in samples:
        held.append(sample)
        if len(held) >= buffer:
            yield held.pop(chance.randrange(len(held)))
    chance.shuffle(held)
    yield from held


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")
