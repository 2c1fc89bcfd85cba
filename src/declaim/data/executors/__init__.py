"""One function over many items: in this process, in several processes, or on a Ray cluster. One interface for all.

    run(function, items, on_result=..., workers=1)                  here, one after the other
    run(function, items, on_result=..., workers=8)                  a pool of eight processes
    run(function, items, on_result=..., ray="10.0.0.1:6379")        every core of a cluster

What they share:

- ``on_result(item, outcome)`` is called in this process, once for every item, **in the order of completion**: put
  results into their own order where order matters.
- An exception that ``function`` raises stops the run and is raised here: return what an item may legitimately be
  refused for. A *worker* that dies (killed, out of memory, its machine lost) takes nothing else with it: its item is
  run again elsewhere, and if it dies again its outcome is a `WorkerLost`.
- Ctrl-C, or an exception in ``on_result``, stops the workers before it is raised; workers get the chance to tidy up.
- In pools and clusters ``function`` must be a module's own function (or a ``functools.partial`` of one), and items and
  results must be picklable. They travel between processes only, nothing pickled is ever written to disk by declaim.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from declaim.data.executors.cluster import run_on_cluster
from declaim.data.executors.lost import WorkerLost
from declaim.data.executors.pool import run_in_pool
from declaim.errors import ConfigError

__all__ = ["WorkerLost", "run", "run_in_pool", "run_on_cluster"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def run(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    on_result: Callable[[Item, Result | WorkerLost], None],
    workers: int = 1,
    ray: str | None = None,
) -> None:
    """Run ``function`` on every item, see the module's text for the rules.

    Args:
        function: called with one item.
        items: what to do.
        on_result: called with (item, what ``function`` returned, or a `WorkerLost`).
        workers: processes on this machine; 1 works in this process.
        ray: address of a Ray cluster (``HOST:PORT``, ``auto`` for the one this machine belongs to, ``local`` to start
            one here); its cores are used instead of ``workers``. All its machines must see the same files under the
            same paths (a shared file system) and have declaim installed.

    Raises:
        ConfigError: fewer than one worker; Ray is not installed or the address is none.
        CapacityError: the cluster cannot be reached, or has lost all its cores for long.
    """
    if workers < 1:
        raise ConfigError(f"got {workers} workers; expected 1 or more")
    if ray is not None:
        run_on_cluster(function, items, ray, on_result)
    elif workers == 1 or not items:
        for item in items:
            on_result(item, function(item))
    else:
        run_in_pool(function, items, workers, on_result)
