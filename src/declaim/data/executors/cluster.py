"""The same function on the cores of a Ray cluster.

Tasks write into the corpus folder themselves, so all machines must share a file system; only small records come back.
Ray runs a task again when its worker or its whole machine is lost (``max_retries``); preparing is idempotent and writes
files whole, so a task that is run twice, even twice at the same time, gives the same corpus.
"""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from declaim.data.executors.lost import WorkerLost
from declaim.errors import CapacityError, ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

RETRIES = 3
"""How often Ray runs an item again whose worker or machine was lost."""
IN_FLIGHT_PER_CORE = 2
"""Tasks handed to Ray at a time for each core: the next one is at hand, and a million items do not fill its memory."""
REACH_S = 10.0
"""Longest wait for the cluster to answer at its address."""
PATIENCE_S = 300.0
"""Longest wait while the cluster has no core at all (its machines may be on their way)."""
_ADDRESS = re.compile(r"(?:ray://)?(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")


def run_on_cluster(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    address: str,
    on_result: Callable[[Item, Result | WorkerLost], None],
) -> None:
    """Run ``function`` on every item on a Ray cluster; the rules are in `declaim.data.executors`.

    Raises:
        ConfigError: Ray is not installed, or the address is none.
        CapacityError: the cluster cannot be reached, or has had no core for long.
    """
    with _connected(address) as ray:
        # One core a task; Ray itself sets OMP_NUM_THREADS to that. An error of the function's own is not retried.
        task = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(_call)
        waiting = list(reversed(items))
        flying: dict[Any, Item] = {}
        seen_core = time.monotonic()
        try:
            while waiting or flying:
                cores = int(ray.cluster_resources().get("CPU", 0))
                seen_core = time.monotonic() if cores else seen_core
                if time.monotonic() - seen_core > PATIENCE_S:
                    raise CapacityError(
                        f"the Ray cluster at {address} has had no core for {PATIENCE_S:.0f} s; add machines and run "
                        "the same command again: what is finished is kept"
                    )
                while waiting and len(flying) < max(1, IN_FLIGHT_PER_CORE * cores):
                    item = waiting.pop()
                    flying[task.remote(function, item)] = item
                ready, _ = ray.wait(list(flying), num_returns=1, timeout=1.0)
                for ref in ready:
                    on_result(flying.pop(ref), _outcome(ray, ref))
        finally:
            for ref in flying:
                with suppress(Exception):  # it may be finished or lost by now
                    ray.cancel(ref, force=False)


def _call(function: Callable[[Any], Any], item: Any) -> Any:
    """Ray makes tasks of plain functions only, not of ``functools.partial``."""
    return function(item)


def _outcome(ray: Any, ref: Any) -> Any:
    """The result; `WorkerLost` if it was lost for good.

    Raises:
        Exception: what the function raised.
    """
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        cause = getattr(error, "cause", None) or error
        if isinstance(cause, ray.exceptions.RaySystemError) and "No module named" in str(cause):
            what = str(cause).splitlines()[0].removeprefix("System error: ")
            raise ConfigError(
                f"a machine of the Ray cluster cannot run this ({what}); install the same declaim there: "
                "pip install 'declaim[cluster]'"
            ) from error
        raise cause from error
    except ray.exceptions.RayError as error:
        return WorkerLost(RETRIES + 1, f"{type(error).__name__}")


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """The ray module, connected; the connection is closed afterwards, unless somebody else had opened it."""
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    if address != "local":
        _check_reachable(address)
    options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about anybody's corpora is sent anywhere
        options["include_dashboard"] = False
    try:
        ray.init(**options)
    except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CapacityError(f"cannot reach a Ray cluster at {address} ({what}); {_advice(address)}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError("ray is not installed; run: pip install 'declaim[cluster]'") from error
    return ray


def _check_reachable(address: str) -> None:
    """Ask the port before Ray does: Ray's own wait for an address where no cluster is lasts minutes.

    Raises:
        ConfigError: no address.
        CapacityError: nobody answers, or something that is not Ray.
    """
    if address == "auto":
        return
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigError(f"{address!r} is no address of a Ray cluster; expected HOST:PORT, auto or local")
    try:
        with socket.create_connection((match["host"].strip("[]"), int(match["port"])), timeout=REACH_S) as connection:
            speaks = os.environ.get("RAY_USE_TLS", "0") != "0" or _speaks_grpc(connection)
    except (OSError, OverflowError) as error:
        raise CapacityError(f"nobody answers at {address} ({error}); {_advice(address)}") from error
    if not speaks:
        raise CapacityError(f"what answers at {address} is no Ray cluster; {_advice(address)}")


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether HTTP/2's greeting is answered by its first frame, SETTINGS, as every gRPC server does."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    head = b""
    while len(head) < 9 and (piece := connection.recv(9 - len(head))):
        head += piece
    return len(head) == 9 and head[3] == 4


def _advice(address: str) -> str:
    port = address.rpartition(":")[2] if address.rpartition(":")[2].isdigit() else "6379"
    return f"start the head with: ray start --head --port {port}"
