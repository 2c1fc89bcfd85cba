"""A corpus prepared on two Ray nodes, one of which is killed midway."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from talking_scenes import write_talking

from declaim.assets import state
from declaim.data.corpus import Corpus
from declaim.data.prepare import PrepareOptions, Source, find_sources, prepare_corpus

os.environ.setdefault("RAY_raylet_start_wait_time_s", "100")  # read on import; on a busy machine 30 are too few
ray = pytest.importorskip("ray")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one core each on this machine: no dashboard, no usage statistics, little memory."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # the nodes' processes import this module
    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 6}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "_system_config": quick})
    try:
        cluster.second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def tree(folder: Path) -> dict[str, str]:
    """Hash of every file; what a killed process left unfinished is hidden, and nobody reads it."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


@pytest.mark.slow
@pytest.mark.skipif(
    any(state(name) != "complete" for name in ("face-landmarker", "whisper-tiny.en")),
    reason="not fetched: declaim assets pull",
)
def test_corpus_is_the_same_when_a_node_is_killed(tmp_path: Path, cluster: Any) -> None:
    """As soon as one file is done, the second node goes down with the file it has in hand."""
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(("ann", "bob", "cid")):
        write_talking(tmp_path / "in" / f"{name}.mp4", seed=seed)
    (tmp_path / "in" / "broken.mp4").write_bytes(bytes(1000))
    options = PrepareOptions(picture_px=64)
    sources, refused = find_sources(tmp_path / "in", None, options)
    done: list[str] = []

    def on_source(source: Source, _: object) -> None:
        done.append(source.name)
        if source.name != "broken.mp4" and cluster.second is not None:
            cluster.remove_node(cluster.second, allow_graceful=False)
            cluster.second = None

    far = prepare_corpus(sources, refused, tmp_path / "far", options, ray=cluster.address, on_source=on_source)
    assert cluster.second is None
    assert sorted(done) == [source.name for source in sources]
    assert not ray.is_initialized()
    near = prepare_corpus(sources, refused, tmp_path / "near", options)
    assert far == near
    assert (far.clips, sum(far.refused.values())) == (3, 1)
    assert tree(tmp_path / "far") == tree(tmp_path / "near")
    assert Corpus(tmp_path / "far").verify() == []
