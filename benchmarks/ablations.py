"""A paper's ablations: ``python -m benchmarks.ablations METHOD --corpus C --runs RUNS``.

Trains the default and every ablation with each seed, all for the same few steps, and judges them on split ``eval``,
every speaker one vote. Runs that are in RUNS already are not trained again.

- ``fd2talk``: its Tables 2 and 3. LSE is judged by the expert that ships, which also taught all runs but
  ``no-lip-expert``: it is partly teaching to the test. ``--judge FOLDER`` adds one (``declaim train sync-expert --set
  train.seed=1``) that taught none of them.
- ``sdm``: its Fig. 3, and both readings of its eq. 5.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.judge import PEOPLE, Judge, Scores, judged, people, table
from benchmarks.report import run
from declaim.data.corpus import Corpus
from declaim.face.model import FaceModel
from declaim.pretrained import atomic_file
from declaim.recipes.motion import first_of_each
from declaim.recipes.overrides import overridden
from declaim.recipes.run import find_recipe, run_recipe
from declaim.registry import METHODS, resolve
from declaim.sync import SyncExpert

PRESETS = {
    "fd2talk": ("default", "ablation-joint", "ablation-no-mask", "ablation-no-lip-expert"),
    "sdm": (
        "default", "ablation-no-pose", "ablation-no-rhythm", "ablation-no-shallow", "printed-independence",
    ),
}  # fmt: skip


def trained(
    name: str, corpus: Path, runs: Path, preset: str, *, seed: int, steps: int, others: Sequence[str] = ()
) -> Path:
    """Folder of one run's weights."""
    run, recipe = runs / f"{preset}-{seed}", find_recipe(name)
    if not (run / "weights" / "config.json").is_file():
        changes = [f"train.steps={steps}", "train.warmup=40", f"train.seed={seed}", *others]
        run_recipe(recipe, overridden(recipe.presets[preset], changes), corpus, run, command="benchmarks.ablations")
    return run / "weights"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=sorted(PRESETS))
    parser.add_argument("--corpus", type=Path, required=True, help="footage, prepared with the recipe's tempos")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the training runs")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the training")
    parser.add_argument("--takes", type=int, nargs="+", default=[0, 1, 2], help="seeds of the takes")
    parser.add_argument("--clips", type=int, default=2, help="of each speaker")
    parser.add_argument("--judge", type=Path, help="another sync expert's folder")
    parser.add_argument("-o", "--output", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus, model = Corpus(chosen.corpus), FaceModel.from_pretrained()
    experts = {"": SyncExpert.from_pretrained()}
    if chosen.judge:
        experts[", other judge"] = SyncExpert.from_pretrained(chosen.judge)
    clips = corpus.select(("eval",))
    few = set(first_of_each(clips, chosen.clips))
    judges = [Judge(corpus, clip, experts, model) for clip in clips if clip.name in few]
    rows: dict[str, list[Scores]] = {PEOPLE: [people(judges)]}
    kind = resolve(METHODS, chosen.method, kind="method")
    for preset in PRESETS[chosen.method]:
        rows[preset] = []
        for seed in chosen.seeds:
            weights = trained(chosen.method, chosen.corpus, chosen.runs, preset, seed=seed, steps=chosen.steps)
            rows[preset].append(judged(judges, kind.from_pretrained(weights), chosen.takes))
            print(preset, seed, json.dumps(rows[preset][-1]), flush=True)
    print(table(rows))
    if chosen.output:
        with atomic_file(chosen.output) as partial:
            partial.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run(main)
