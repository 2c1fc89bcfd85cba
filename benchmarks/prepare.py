"""Throughput of `declaim prepare`: seconds of footage per second and core, per stage, and how workers scale.

    python -m benchmarks.prepare [FOLDER] [--files 24] [--workers 2] [--ray ADDRESS] -o prepare.json

Everything is prepared from scratch into a temporary folder: in this process with a clock around every stage, then by
one worker process, by N, and on a Ray cluster if one is named (``local`` starts one here).

Scaling efficiency is T1 / (N TN). Two of them are told: of the whole run, with the start of the processes, which a long
run does not feel; and of the time in which all workers are at work, from the N-th result to the N-th last. CPU seconds
are told as well: they hardly depend on what else the machine does.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any

from benchmarks.footage import DEFAULT_FOOTAGE
from benchmarks.report import Figure, figures_as_json, figures_table, markdown, provenance, write_report
from declaim.data import executors
from declaim.data.corpus import ClipRecord
from declaim.data.prepare import PrepareOptions, Source, find_sources, prepare_source, source, stages
from declaim.timebase import duration_s

STAGES = {
    "first look: cuts and faces": (source, "survey"),
    "second look: track and picture": (source, "take_all"),
    "motion": (source, "make_motion"),
    "speech and its activity": (source, "make_sound"),
    "speech features": (stages, "at_tempo"),  # replaced by the encoder's own clock below
    "quality and flags": (source, "judge"),
    "checksums": (source, "file_entry"),
}


@contextmanager
def clocks() -> Iterator[dict[str, list[float]]]:
    """Wall and CPU seconds of every stage while it runs in this process."""
    spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name][0] += time.perf_counter() - wall
                spent[name][1] += time.process_time() - cpu

        return call

    class Timed:
        def __init__(self, name: str) -> None:
            self.encode = timed("speech features", encoder_named(name).encode)

    encoder_named = stages.encoder_named
    originals = {name: getattr(*place) for name, place in STAGES.items() if name != "speech features"}
    try:
        stages.encoder_named = Timed  # type: ignore[assignment, misc]
        for name, function in originals.items():
            setattr(*STAGES[name], timed(name, function))
        yield spent
    finally:
        stages.encoder_named = encoder_named  # type: ignore[misc]
        for name, function in originals.items():
            setattr(*STAGES[name], function)
        for i in (0, 1):  # features are made inside the stage of the sound
            spent["speech and its activity"][i] -= spent["speech features"][i]


def staged(sources: Sequence[Source], options: PrepareOptions) -> dict[str, Any]:
    """Everything in this process; networks are loaded before the clock starts."""
    with tempfile.TemporaryDirectory() as folder:
        prepare_source(sources[0], Path(folder) / "warm", options)
        with clocks() as spent:
            wall, cpu = time.perf_counter(), time.process_time()
            results = [r for s in sources for r in prepare_source(s, Path(folder) / "corpus", options)]
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    seconds = sum(duration_s(r.frames) for r in results if isinstance(r, ClipRecord))
    rest = (wall - sum(w for w, _ in spent.values()), cpu - sum(c for _, c in spent.values()))
    table = {name: spent[name] for name in STAGES} | {"the rest": list(rest)}
    return {
        "clip_s": seconds,
        "wall_s": wall,
        "cpu_s": cpu,
        "clip_s_per_s": seconds / wall,
        "clip_s_per_cpu_s": seconds / cpu,
        "stages": {
            name: {"wall_s": w, "cpu_s": c, "share_of_cpu": c / cpu, "clip_s_per_cpu_s": seconds / c if c else None}
            for name, (w, c) in table.items()
        },
    }


def scaled(sources: Sequence[Source], options: PrepareOptions, n: int, ray: str | None = None) -> dict[str, Any]:
    """In ``n`` processes of their own, or on a cluster of ``n`` cores."""
    ends: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.perf_counter(), _children_cpu()

        def on_result(_: Source, outcome: Any) -> None:
            clips = [] if isinstance(outcome, executors.WorkerLost) else outcome
            length = sum(duration_s(r.frames) for r in clips if isinstance(r, ClipRecord))
            ends.append((time.perf_counter() - started, length))

        function = partial(prepare_source, corpus=Path(folder) / "corpus", options=options)
        if ray is None:
            executors.run_in_pool(function, sources, n, on_result)  # also for one: the same start as the others
        else:
            executors.run(function, sources, ray=ray, on_result=on_result)
        wall, cpu = time.perf_counter() - started, _children_cpu() - cpu
    total = sum(length for _, length in ends)
    steady = ends[n - 1 : len(ends) - n + 1]  # before, some start; after, some have nothing left to do
    return {
        "workers": n,
        "wall_s": wall,
        "first_result_s": ends[0][0],
        "clip_s_per_s": total / wall,
        "steady_clip_s_per_s": sum(length for _, length in steady[1:]) / (steady[-1][0] - steady[0][0]),
        "cpu_s": cpu if ray is None else None,
        "clip_s_per_cpu_s": total / cpu if ray is None else None,
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def efficiency(one: dict[str, Any], many: dict[str, Any]) -> dict[str, float | None]:
    n = many["workers"]
    return {
        "whole": many["clip_s_per_s"] / (n * one["clip_s_per_s"]),
        "steady": many["steady_clip_s_per_s"] / (n * one["steady_clip_s_per_s"]),
        "cpu": many["clip_s_per_cpu_s"] / one["clip_s_per_cpu_s"] if many["clip_s_per_cpu_s"] else None,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT_FOOTAGE / "clips", help="folder of videos")
    parser.add_argument("--files", type=int, default=24, help="files, evenly spread over the folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ray", help="also on the Ray cluster at this address, which has as many cores as workers")
    parser.add_argument("-o", "--output", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    options = PrepareOptions()
    everything, _ = find_sources(chosen.folder, None, options)
    step = max(1, len(everything) // chosen.files)
    sources = everything[::step][: chosen.files]
    load = os.getloadavg()[0]
    here = staged(sources, options)
    runs = {str(n): scaled(sources, options, n) for n in (1, chosen.workers)}
    if chosen.ray:
        runs["ray"] = scaled(sources, options, chosen.workers, chosen.ray)
    scaling = {name: efficiency(runs["1"], run) for name, run in runs.items() if name != "1"}
    figures = [
        Figure("footage prepared per CPU second, s", here["clip_s_per_cpu_s"]),
        *(Figure(f"scaling efficiency, {name}, steady", e["steady"]) for name, e in scaling.items()),
        *(Figure(f"scaling efficiency, {name}, whole run", e["whole"]) for name, e in scaling.items()),
    ]
    rows = [
        (name, f"{s['cpu_s']:.1f}", f"{s['share_of_cpu']:.0%}", f"{s['clip_s_per_cpu_s'] or 0:.1f}")
        for name, s in here["stages"].items()
    ]
    print(markdown(("stage", "CPU s", "share", "clip s per CPU s"), rows), figures_table(figures), sep="\n\n")
    report = {
        **provenance(),
        "load_before": load,
        "files": [s.name for s in sources],
        "one_process": here,
        "runs": runs,
        "scaling": scaling,
        "figures": figures_as_json(figures),
    }
    if chosen.output:
        write_report(chosen.output, report)
    else:
        sys.stdout.write(json.dumps(report, indent=2, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
