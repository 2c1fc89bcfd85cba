"""How people move, in the figures of ``declaim style extract``: ``python -m benchmarks.manners --corpus CORPUS``."""

import argparse
import sys
from collections import defaultdict
from dataclasses import astuple, fields
from pathlib import Path

import torch

from benchmarks.report import markdown
from declaim.data.corpus import Corpus
from declaim.face.model import FaceModel
from declaim.motion.manner import Manner, manner_of
from declaim.motion.style import LEAST_FRAMES


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.manners", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--split", default="train")
    chosen = parser.parse_args(arguments)
    corpus, model = Corpus(chosen.corpus), FaceModel.from_pretrained()
    found = defaultdict(list)
    for clip in corpus.select([chosen.split]):
        motion = corpus.motion(clip)
        if (len(motion) if motion.valid is None else int(motion.valid.sum())) >= LEAST_FRAMES:
            found[clip.speaker].append(torch.tensor(astuple(manner_of(motion, model))))
    people = torch.stack([torch.stack(clips).mean(0) for clips in found.values()])
    print(f"{len(people)} speakers of split {chosen.split}, each the mean of his clips\n")
    quantiles = people.quantile(torch.tensor([0.1, 0.5, 0.9]), dim=0).T.tolist()
    names = [field.name for field in fields(Manner)]
    rows = [(name, *(f"{value:.3g}" for value in row)) for name, row in zip(names, quantiles, strict=True)]
    print(markdown(("figure", "a tenth of people below", "median", "a tenth of people above"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
