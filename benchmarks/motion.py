"""Speed and memory of speech to motion: ``python -m benchmarks.motion --speech FILE -o motion.json``.

Inside one process: loading, encoding alone, sampling alone by number of steps, both together (``generate`` of the whole
file, the encoder one piece ahead in a thread), and streaming. Real-time factors are seconds of speech per second on the
clock; processor seconds stand beside them.

With ``--minutes 1 10 60`` instead: ``declaim motion`` in a process of its own on speech of these lengths, and the most
memory that it takes.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.end_to_end import speech_of, timed
from benchmarks.report import Figure, figures_as_json, figures_table, provenance, write_report
from declaim.assets import shipped
from declaim.audio.activity import speech_activity
from declaim.media import read_audio
from declaim.registry import METHODS, resolve

STREAMED_S = 20.0
"""Seconds of the speech that are streamed: every window encodes its piece anew."""


def seconds(work: Callable[[], Any], times: int = 1) -> tuple[Any, dict[str, float]]:
    """The result and the best of some runs, on the clock and of the processor."""
    best = {"wall_s": float("inf"), "cpu_s": float("inf")}
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        taken = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        best = min(best, taken, key=lambda each: each["wall_s"])
    return result, best


def measure(name: str, path: Path, steps: list[int], times: int) -> tuple[dict[str, Any], list[Figure]]:
    kind = resolve(METHODS, name, kind="method")
    speech = read_audio(path)
    length = speech.duration_s
    method, loading = seconds(kind.from_pretrained)
    raw: dict[str, Any] = {"speech_s": length, "load_weights": loading}
    method.encoder.encode(read_audio(path))  # reads the encoder's weights
    features, raw["encode"] = seconds(lambda: method.encoder.encode(speech), times)
    active = speech_activity(speech)
    for count in steps:
        _, raw[f"sample_{count}"] = seconds(
            lambda count=count: method.generate_from_features([features], len(features), active=active, steps=count),
            times,
        )
    _, raw["generate"] = seconds(lambda: method.generate(speech), times)
    heard = speech.between(0.0, STREAMED_S)
    chunks = torch.split(heard.samples, speech.sample_rate // 10)
    _, raw["stream"] = seconds(lambda: list(method.stream(chunks, speech.sample_rate)))
    unit = 2**20 if sys.platform == "darwin" else 2**10
    raw["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    whole, coming = raw["generate"], raw["stream"]
    return raw, [
        Figure(f"{name}: speech to motion, times real time", length / whole["wall_s"], low=40.0,
               beside=f"{method.config.sampling_steps} steps, processor {whole['cpu_s']:.2f} s"),
        Figure(f"{name}: streaming, times real time", heard.duration_s / coming["wall_s"], low=1.0,
               beside=f"processor {coming['cpu_s']:.2f} s"),
        Figure(f"{name}: encoding alone, times real time", length / raw["encode"]["wall_s"],
               beside=f"processor {raw['encode']['cpu_s']:.2f} s"),
        *(Figure(f"{name}: sampling alone, {n} steps, times real time", length / raw[f"sample_{n}"]["wall_s"],
                 beside=f"processor {raw[f'sample_{n}']['cpu_s']:.2f} s") for n in steps),
        Figure(f"{name}: peak memory, MiB", raw["peak_mib"], beside="weights and libraries included"),
    ]  # fmt: skip


def long_runs(name: str, source: Path, minutes: list[float]) -> tuple[dict[str, Any], list[Figure]]:
    """Time and memory of the command line for speech of several lengths."""
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for length in minutes:
            speech = speech_of(Path(folder) / "speech.wav", 60 * length, source)
            command = ("motion", speech, "--method", name, "-o", Path(folder) / "motion.npz", "-q")
            runs.append(timed(f"{length:g} min", *command))
    figures = [
        Figure(f"{name}: declaim motion, {run.what}, peak MiB", 1024 * run.peak_gib,
               beside=f"{run.wall_s:.0f} s, processor {run.cpu_s:.0f} s")
        for run in runs
    ]  # fmt: skip
    return {"runs": [asdict(run) for run in runs]}, figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.motion", description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, help="any speech; the demo's if left out")
    parser.add_argument("--method", default="fd2talk")
    parser.add_argument("--steps", nargs="+", type=int, default=[4, 6])
    parser.add_argument("--times", type=int, default=2, help="runs of each; the fastest counts")
    parser.add_argument("--minutes", nargs="+", type=float, help="measure declaim motion on speech of these lengths")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/motion.json"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # as the command line does
    load = os.getloadavg()[0]
    path = chosen.speech or next(shipped("demo-speech").glob("speech.*"))
    if chosen.minutes:
        raw, figures = long_runs(chosen.method, path, chosen.minutes)
    else:
        raw, figures = measure(chosen.method, path, chosen.steps, chosen.times)
    print(figures_table(figures))
    if load > 0.5:
        print(f"\nThe machine was busy (load {load:.1f} before the start): times are too long.")
    write_report(
        chosen.output,
        {
            "benchmark": "motion",
            **provenance({chosen.method: shipped(chosen.method)}),
            "load_before": load,
            "measured": raw,
            "figures": figures_as_json(figures),
        },
    )
    return 0 if all(figure.met is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
