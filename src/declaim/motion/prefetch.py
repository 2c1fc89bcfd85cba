"""Work done one item ahead in a thread: torch lets others run while it computes, so two cores are in use."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """``items`` in order, the next one being made in a thread while the present one is used.

    What making an item raises, is raised where that item would have come.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "declaim-ahead") as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item
