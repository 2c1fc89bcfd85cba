"""Steps that a shallow start saves: ``python -m benchmarks.shallow --corpus CORPUS -o shallow.json``.

Every method samples clips of training speakers from noise, and again from a first guess noised to a later step: SDM
from its two branches, the others from the finished frames' continuation (their lips, where they are sampled, from one
more call at the noisy end). Twice: counted within the whole process of many steps (the last n of them), and with few
steps spread anew below the start. The whole process is the measure.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.judge import Judge, Scores, judged, table
from benchmarks.report import provenance, run, write_report
from declaim.data.corpus import Corpus
from declaim.diffusion.shallow import shallow_schedule
from declaim.face.model import FaceModel
from declaim.motion.sampling import sample_window, steps_to_visit
from declaim.plots.picture import standing_alone
from declaim.plots.svg import Plot
from declaim.recipes.motion import HELD_OUT, first_of_each
from declaim.registry import METHODS, resolve

SHOWN = {
    "head turn, deg": (0.0, 1.5),
    "head speed, deg/s": (0.0, 1.5),
    "Diversity, deg": (0.0, 1.5),
    "mouth correlation": (0.8, 1.2),
    "LVE, cm": (0.8, 1.4),
}
"""Figures that are drawn, and the range of each axis."""
FADE_FRAMES = 25.0
"""Frames in which a fading continuation falls to 1/e."""
Continue = Callable[[Float[Tensor, "prefix columns"], int], Float[Tensor, "generated columns"]]


def held(finished: Float[Tensor, "prefix columns"], frames: int) -> Float[Tensor, "generated columns"]:
    """The last finished frame, held; rest where there is none."""
    last = finished[-1:] if len(finished) else finished.new_zeros(1, finished.shape[1])
    return last.expand(frames, -1)


def fading(finished: Float[Tensor, "prefix columns"], frames: int) -> Float[Tensor, "generated columns"]:
    """The last finished frame, falling to rest."""
    return held(finished, frames) * torch.exp(-torch.arange(1.0, frames + 1) / FADE_FRAMES)[:, None]


CONTINUATIONS: dict[str, Continue] = {"held": held, "fading": fading}


@contextmanager
def starting(method: Any, visited: list[int], kind: str) -> Iterator[None]:
    """``method`` visits these steps, beginning from a guess of this kind noised to the first one.

    Args:
        method: any motion method.
        visited: falling diffusion steps.
        kind: ``noise``: the whole process; ``branches``: SDM's own guess; else one of `CONTINUATIONS`.
    """
    config = method.config
    with patch.object(method, "visited", lambda _: visited):
        if kind in CONTINUATIONS:
            module = sys.modules[type(method).__module__]

            def window(
                network: Any, heard: Tensor, finished: Tensor, noise: Tensor, *rest: Any, **named: Any
            ) -> Tensor:
                guess = CONTINUATIONS[kind](finished, len(noise))
                if settle := named.get("settle"):  # the lips' own path: one call at the noisy end
                    whole = steps_to_visit(method.schedule, config.sampler, 1)
                    lips = sample_window(network, heard, finished, noise, *rest, **named | {"visited": whole})
                    guess = guess + settle[1](lips - guess)
                return sample_window(network, heard, finished, noise, *rest, **named, guess=guess)

            with patch.object(module, "sample_window", window):
                yield
        else:
            if "shallow" in type(config).model_fields:
                start = visited[0] if kind == "branches" else None
                method.config = config.model_copy(update={"shallow": kind == "branches", "start_step": start})
            yield
            method.config = config


def plan(kind: str, share: float, many: int) -> str:
    """Name of sampling with the last steps of many."""
    return f"{kind}, last {round(share * many)} of {many}"


def measured(method: Any, judges: list[Judge], asked: argparse.Namespace) -> dict[str, Scores]:
    """Scores by what was done: from noise, and from every kind of guess that the method has."""
    many, few = asked.many, asked.few
    schedule, sampler = method.schedule, method.config.sampler
    whole, short = (steps_to_visit(schedule, sampler, steps) for steps in (many, few))
    kinds = ["branches"] if "shallow" in type(method.config).model_fields else list(CONTINUATIONS)
    plans = {f"noise, {len(steps)} steps": ("noise", steps) for steps in (whole, short)}
    for kind in kinds:
        for share in asked.shares:
            left = whole[-round(share * many) :]
            plans[plan(kind, share, many)] = (kind, left)
            part = shallow_schedule(schedule, left[0])
            for steps in asked.below:
                plans[f"{kind}, {steps} from {share:.0%}"] = (kind, steps_to_visit(part, sampler, steps))
    found = {}
    for name, (kind, visited) in plans.items():
        with starting(method, visited, kind):
            found[name] = judged(judges, method, asked.seeds, blink_scale=0.0) | {"start": float(visited[0])}
        print(name, json.dumps({k: round(v, 3) for k, v in found[name].items()}), flush=True)
    return found


def curves(results: dict[str, dict[str, Scores]], many: int, shares: list[float]) -> str:
    """Figures by the share of the many steps, relative to all of them, as the text of an SVG file."""
    kinds = ("branches", *CONTINUATIONS)
    found = {
        f"{method}, {kind}": [(s, rows[name]) for s in shares if (name := plan(kind, s, many)) in rows]
        for method, rows in results.items()
        for kind in kinds
    }
    found = {name: points for name, points in found.items() if points}
    plots = []
    known = next(iter(next(iter(results.values())).values()))  # one seed has no diversity
    for figure, range_shown in ((name, shown) for name, shown in SHOWN.items() if name in known):
        plot = Plot((0, 1), range_shown, x_label=f"share of {many} steps", y_label=f"{figure}, of all steps'")
        for number, (name, points) in enumerate(found.items()):
            whole = results[name.partition(",")[0]][f"noise, {many} steps"][figure]
            xs, ys = [s for s, _ in points], [row[figure] / whole for _, row in points]
            plot.line([*xs, 1.0], [*ys, 1.0], f"take{number}", name)
            plot.dots(xs, ys, f"take{number}")
        plot.rule(y=1.0)
        plots.append(plot)
    return standing_alone(plots, list(found), margin=150.0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shallow", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--method", action="append", help="may be repeated; all of them if left out")
    parser.add_argument("--weights", action="append", default=[], help="METHOD=FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--many", type=int, default=50, help="steps of the whole process")
    parser.add_argument("--few", type=int, default=5, help="steps of few-step sampling")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.4, 0.6, 0.8], help="of the many")
    parser.add_argument("--below", type=int, nargs="+", default=[1, 2, 3], help="few steps, below the start")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks/shallow.json"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus, model = Corpus(chosen.corpus), FaceModel.from_pretrained()
    clips = [clip for clip in corpus.select(("train",)) if clip.speaker in HELD_OUT]
    few = set(first_of_each(clips, 1))
    judges = [Judge(corpus, clip, {}, model) for clip in clips if clip.name in few]
    folders, results = dict(each.split("=", 1) for each in chosen.weights), {}
    for name in chosen.method or sorted(METHODS):
        method = resolve(METHODS, name, kind="method").from_pretrained(folders.get(name))
        results[name] = measured(method, judges, chosen)
        print(f"\n{name}\n{table({row: [scores] for row, scores in results[name].items()})}")
    write_report(chosen.output, {"benchmark": "shallow", **provenance(), "results": results})
    chosen.output.with_suffix(".svg").write_text(curves(results, chosen.many, chosen.shares), encoding="utf-8")
    return 0


if __name__ == "__main__":
    run(main)
