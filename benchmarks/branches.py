"""What the parts of SDM's trained weights give: ``python -m benchmarks.branches --corpus CORPUS -o branches.json``.

Clips of training speakers are sampled with the shipped weights as they are, with one branch's motion left out, without
the reverse process (the branches' guess alone), and with the whole process from noise instead of a shallow start.
Nothing is trained: a network that had never known the branch might do without it (`benchmarks.ablations sdm` tells).
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.judge import PEOPLE, Judge, Scores, judged, people, table
from benchmarks.report import provenance, run, write_report
from declaim.assets import shipped
from declaim.data.corpus import Corpus
from declaim.face.model import FaceModel
from declaim.methods.sdm import SDM
from declaim.methods.sdm.method import Guess
from declaim.recipes.motion import HELD_OUT, first_of_each


@contextmanager
def without(method: SDM, branch: str) -> Iterator[None]:
    """``method`` with the motion of ``pose`` or ``rhythm`` left out."""
    whole = method.guess

    def partial(*arguments: Any) -> Guess:
        guess = whole(*arguments)
        return replace(guess, **{branch: torch.zeros_like(getattr(guess, branch))})

    with patch.object(method, "guess", partial):
        yield


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.branches", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks/branches.json"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus, model, method = Corpus(chosen.corpus), FaceModel.from_pretrained(), SDM.from_pretrained(chosen.weights)
    clips = [clip for clip in corpus.select(("train",)) if clip.speaker in HELD_OUT]
    few = set(first_of_each(clips, 1))
    judges = [Judge(corpus, clip, {}, model) for clip in clips if clip.name in few]
    rows: dict[str, Scores] = {PEOPLE: people(judges), "as shipped": judged(judges, method, chosen.seeds)}
    for branch in ("pose", "rhythm"):
        with without(method, branch):
            rows[f"{branch} branch left out"] = judged(judges, method, chosen.seeds)
    config = method.config
    for name, changed in {
        "guess alone": {"start_step": 0, "sampling_steps": 1},
        "no shallow start, 2 steps": {"shallow": False, "sampling_steps": 2},
        "no shallow start, 5 steps": {"shallow": False, "sampling_steps": 5},
    }.items():
        method.config = config.model_copy(update=changed)
        rows[name] = judged(judges, method, chosen.seeds)
    print(table({name: [scores] for name, scores in rows.items()}))
    used = {"sdm": chosen.weights or shipped("sdm")}
    write_report(chosen.output, {"benchmark": "branches", **provenance(used), "rows": rows})
    return 0


if __name__ == "__main__":
    run(main)
