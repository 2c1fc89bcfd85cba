"""Wall time and memory of ``declaim generate``: ``python -m benchmarks.end_to_end -o report.json``.

Every run is a process of its own, start-up included, as a user would start it. Speech is repeated to the length asked
for; the portrait is 512x512.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import Figure, figures_as_json, figures_table, provenance, write_report
from declaim.assets import shipped
from declaim.media import read_audio, read_portrait_image, write_image
from declaim.timebase import SAMPLE_RATE

SIDE = 512
PAUSE_S = 0.5


@dataclass(frozen=True)
class Run:
    """One process: seconds on the clock, seconds of processor time, peak resident memory."""

    what: str
    wall_s: float
    cpu_s: float
    peak_gib: float


def timed(what: str, *arguments: str | Path) -> Run:
    """Run ``declaim`` with ``arguments`` and measure it.

    Raises:
        RuntimeError: it failed; the message holds what it said.
    """
    command = [sys.executable, "-c", "from declaim.apps.cli.main import run; run()", *map(str, arguments)]
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)  # this child's own peak, not the largest of all children
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"declaim {' '.join(map(str, arguments))} failed:\n{said.read().decode()}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    result = Run(what, round(wall, 2), round(usage.ru_utime + usage.ru_stime, 2), usage.ru_maxrss * unit / 2**30)
    print(f"{what}: {result.wall_s} s, {result.cpu_s} s of processor, {result.peak_gib:.2f} GiB", file=sys.stderr)
    return result


def speech_of(path: Path, seconds: float, source: Path) -> Path:
    """A 16 kHz WAV of exactly ``seconds``: ``source`` repeated with pauses.

    Nothing is held as a whole: what this process takes counts as its children's memory, too.
    """
    samples = read_audio(source).samples
    unit = torch.nn.functional.pad(samples, (0, round(PAUSE_S * SAMPLE_RATE)))
    said, wanted = (unit * 32767).round().short().numpy(), round(seconds * SAMPLE_RATE)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for start in range(0, wanted, len(said)):
            file.writeframes(said[: wanted - start].tobytes())
    return path


def square_portrait(path: Path, source: Path) -> Path:
    """The picture's upper middle square at 512x512."""
    import cv2

    image = read_portrait_image(source)
    side = min(image.shape[:2])
    left = (image.shape[1] - side) // 2
    write_image(path, np.ascontiguousarray(cv2.resize(image[:side, left : left + side], (SIDE, SIDE))))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def repeatability(folder: Path, portrait: Path, source: Path) -> dict[str, bool]:
    """Whether one seed gives one file, and another seed another one."""
    speech = speech_of(folder / "short.wav", 4, source)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        timed(
            f"4 s, seed {seed}", "generate", portrait, speech, "-o", folder / f"{name}.mp4", "--seed", str(seed), "-q"
        )
    a, b, c = (digest(folder / f"{name}.mp4") for name in "abc")
    return {"same seed, same file": a == b, "other seed, other file": a != c}


def measure(folder: Path, portrait: Path, source: Path, minutes: list[float]) -> tuple[list[Run], list[Figure]]:
    runs = [timed("start-up (--help)", "--help")]
    whole: dict[float, Run] = {}
    for length in minutes:
        speech = speech_of(folder / f"{length:g}min.wav", 60 * length, source)
        film = folder / f"{length:g}min.mp4"
        whole[length] = timed(f"generate, {length:g} min", "generate", portrait, speech, "-o", film, "-q")
        film.unlink()
    shortest = minutes[0]
    speech, motion = folder / f"{shortest:g}min.wav", folder / "motion.npz"
    speaking = timed(f"motion alone, {shortest:g} min", "motion", speech, "-o", motion, "-q")
    drawing = timed(
        f"render alone, {shortest:g} min", "render", portrait, motion, "-o", folder / "r.mp4", "--sound", speech, "-q"
    )
    runs += [*whole.values(), speaking, drawing]
    first, last = whole[shortest], whole[minutes[-1]]
    seconds = 60 * shortest
    return runs, [
        Figure(
            f"generate, wall seconds for {seconds:g} s at 512x512",
            first.wall_s,
            high=seconds,
            beside=f"aim {seconds / 2:g}; processor {first.cpu_s:.0f} s",
        ),
        Figure("peak memory, GiB", max(r.peak_gib for r in whole.values()), high=2.0),
        Figure(
            f"peak memory, {minutes[-1]:g} min over {shortest:g} min",
            last.peak_gib / first.peak_gib if len(minutes) > 1 else None,
            high=1.1,
            beside=", ".join(f"{m:g} min {r.peak_gib:.2f} GiB" for m, r in whole.items()),
        ),
        Figure("render with encoding, frames/s, start-up included", 25 * seconds / drawing.wall_s, low=60.0),
        Figure("speech to motion, times real time", seconds / speaking.wall_s),
        Figure("seconds per second of speech, longest run", last.wall_s / (60 * minutes[-1])),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=__doc__.splitlines()[0])
    parser.add_argument("--portrait", type=Path, help="a picture with a face; the demo's if left out")
    parser.add_argument("--speech", type=Path, help="any speech, it is repeated; the demo's if left out")
    parser.add_argument("--minutes", nargs="+", type=float, default=[1.0, 10.0])
    parser.add_argument("--no-repeat", action="store_true", help="leave out the check that a seed repeats bit for bit")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/end_to_end.json"))
    chosen = parser.parse_args(arguments)
    portrait = chosen.portrait or next(shipped("demo-portrait").glob("portrait.*"))
    source = chosen.speech or next(shipped("demo-speech").glob("speech.*"))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = square_portrait(folder / "portrait.png", portrait)
        runs, figures = measure(folder, picture, source, sorted(chosen.minutes))
        repeats = {} if chosen.no_repeat else repeatability(folder, picture, source)
    figures += [Figure(name, float(held), low=1.0) for name, held in repeats.items()]
    print(figures_table(figures))
    if load > 0.5:
        print(f"\nThe machine was busy (load {load:.1f} before the start): times are too long.")
    folders = {name: shipped(name) for name in ("face-model", "fd2talk")}
    write_report(
        chosen.output,
        {
            "benchmark": "end_to_end",
            **provenance(folders),
            "load_before": load,
            "runs": [asdict(run) for run in runs],
            "figures": figures_as_json(figures),
        },
    )
    return 0 if all(f.met is not False for f in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
