"""A corpus prepared on two Ray nodes, one of which is killed midway."""

import hashlib
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from declaim.data.executors import run

ray = pytest.importorskip("ray")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one core each on this machine: no dashboard, no usage statistics, little memory."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # the nodes' processes import this module
    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "_system_config": quick})
    try:
        cluster.second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def write(folder: Path, item: int) -> tuple[int, str]:
    time.sleep(0.4)
    (folder / f"{item}.txt").write_text(hashlib.sha256(bytes([item])).hexdigest())
    return item, ray.get_runtime_context().get_node_id() + os.environ["OMP_NUM_THREADS"]


def test_killed_node(tmp_path: Path, cluster: Any) -> None:
    found: dict[int, str] = {}

    def on_result(item: int, outcome: Any) -> None:
        found[item] = outcome[1]
        if len(found) == 4:
            cluster.remove_node(cluster.second, allow_graceful=False)

    run(partial(write, tmp_path), range(12), ray=cluster.address, on_result=on_result)
    assert sorted(found) == list(range(12))
    assert len(set(found.values())) == 2
    assert len(list(tmp_path.iterdir())) == 12
    assert not ray.is_initialized()
