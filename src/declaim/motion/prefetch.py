"""Work done one item ahead in a thread: torch lets others run while it computes, so two cores are in use."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")
_END = object()


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """``items`` in order, the next one being made in a thread while the present one is used; the first begins at once.

    What making an item raises, is raised where that item would have come.
    """
    # A thread takes over torch's number of threads when it asks for it; until then MKL uses all cores.
    source, thread = iter(items), ThreadPoolExecutor(1, "declaim-ahead", torch.get_num_threads)
    return _handed_on(source, thread, thread.submit(next, source, _END))


def _handed_on(source: Iterator[Item], thread: ThreadPoolExecutor, coming: "Future[Any]") -> Iterator[Item]:
    with thread:
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item
