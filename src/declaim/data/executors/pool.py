"""A pool of processes that survives the death of its members.

The standard library's pools either hang (``multiprocessing.Pool``) or give up altogether (``ProcessPoolExecutor``) when
a worker is killed, and out-of-memory kills do happen where videos are decoded. Here every worker has its own pipe:

    parent ── pipe ── worker 0      a closed pipe is a dead worker: its item goes back to the front of the queue,
           ── pipe ── worker 1      and a fresh process takes the place
"""

import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from declaim.data.executors.lost import WorkerLost
from declaim.errors import CapacityError

Item = TypeVar("Item")
Result = TypeVar("Result")

ATTEMPTS = 2
"""Workers that an item may cost before it is given up: one bad moment is forgiven, a deadly item is not."""
GRACE_S = 10.0
"""Time that a worker has to tidy up before it is killed."""


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    ready: bool = False


@dataclass
class _Job(Generic[Item]):
    item: Item
    attempts: int = 0


def run_in_pool(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    on_result: Callable[[Item, Result | WorkerLost], None],
) -> None:
    """Run ``function`` on every item in ``workers`` processes; the rules are in `declaim.data.executors`.

    Raises:
        CapacityError: processes die before they begin.
    """
    queue = deque(_Job(item) for item in items)
    busy: dict[Connection, tuple[_Worker, _Job[Item]]] = {}
    idle: list[_Worker] = []
    try:
        while queue or busy:
            while queue and len(busy) < workers:
                job = queue.popleft()
                worker = idle.pop() if idle else _start(function)
                busy[worker.pipe] = (worker, job)
                job.attempts += 1
                with suppress(OSError):  # it died while idle: its closed pipe is found below
                    worker.pipe.send((job.item,))
            for pipe in wait(list(busy)):
                worker, job = busy[pipe]  # type: ignore[index]
                outcome = _receive(worker)
                if outcome is None:
                    worker.ready = True
                    continue
                del busy[worker.pipe]
                if not isinstance(outcome, WorkerLost):
                    idle.append(worker)
                    on_result(job.item, outcome[0])
                elif job.attempts < ATTEMPTS:
                    queue.appendleft(job)
                else:
                    on_result(job.item, WorkerLost(job.attempts, outcome.detail))
    finally:
        _stop([*idle, *(worker for worker, _ in busy.values())])


def _start(function: Callable[..., object]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    with _inherited():
        process.start()
    theirs.close()  # so that the worker's death closes the pipe
    return _Worker(process, ours)


@contextmanager
def _inherited() -> Iterator[None]:
    """What a worker takes over at its birth: one thread, and deafness to Ctrl-C, which is the parent's to handle."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: workers would fight for the cores
    blockable = hasattr(signal, "pthread_sigmask")
    if blockable:
        resource_tracker.ensure_running()  # starting it within would lift the block
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if blockable:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _serve(function: Callable[[Any], object], pipe: Connection) -> None:
    """A worker's life: until the pipe closes, which it also does when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    warnings.simplefilter("ignore")  # it would write over the parent's bars; what matters is in the results
    with suppress(OSError):
        pipe.send(None)  # ready
    while True:
        try:
            (item,) = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[object, BaseException | None] = (function(item), None)
        except Exception as error:
            error.add_note("in a worker process:\n" + traceback.format_exc())
            answer = (None, error)
        try:
            pipe.send(answer)
        except OSError:
            return
        except Exception as error:  # what cannot be pickled
            what = answer[1] or error
            pipe.send((None, RuntimeError(f"{type(what).__name__}: {what}")))


def _leave(*_: object) -> None:
    """Terminated: as an exception, so that unfinished files are removed on the way out."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def _receive(worker: _Worker) -> tuple[Any] | WorkerLost | None:
    """The answer, boxed; `WorkerLost` if it died; None if it has just begun.

    Raises:
        CapacityError: it died before it began.
        Exception: what the function raised.
    """
    try:
        message = worker.pipe.recv()
    except (EOFError, OSError):
        worker.pipe.close()
        worker.process.join(GRACE_S)
        code = worker.process.exitcode
        detail = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        if not worker.ready:
            raise CapacityError(
                f"a worker process died at its start ({detail}); free some memory, or use one worker; a script of your "
                "own must call this under: if __name__ == '__main__'"
            ) from None
        return WorkerLost(1, detail)
    if message is None:
        return None
    result, error = message
    if error is not None:
        raise error
    return (result,)


def _stop(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()
