"""How the scales of speech and style trade: ``python -m benchmarks.guidance --corpus CORPUS --plot guidance.svg``.

Each speaker's last piece is spoken in his own style, seen in his other pieces (`benchmarks.styles`), with every pair of
scales. Measured: the mouth opening's correlation with the truth, the distance from his own statistics, and how far
heads of different takes are apart. Speakers are those of split ``eval``; with ``--held-out`` they are the training
speakers that the weights did not learn from (``declaim train diffposetalk --preset held-out``), on whom scales are
chosen.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import torch

from benchmarks.report import markdown, provenance, run, write_report
from benchmarks.styles import Stage, learnt_statistics, pieces_of, seen_styles, statistics
from declaim.data.corpus import Corpus
from declaim.errors import DeclaimWarning
from declaim.face.anatomy import Anatomy
from declaim.face.model import FaceModel
from declaim.methods.diffposetalk import DiffPoseTalk
from declaim.metrics.functional.lip import mouth_correlation
from declaim.metrics.functional.motion import diversity_over_takes
from declaim.motion.style import Style
from declaim.recipes.motion import HELD_OUT

SPEECH, STYLE = (1.0, 1.15, 2.0), (0.0, 1.0, 2.0, 3.0, 5.0)
FIGURES = ("mouth correlation", "distance from own statistics", "spread of takes, degrees")


def measured(
    method: DiffPoseTalk, styles: dict[str, Style], stage: Stage, scales: tuple[float, float], seeds: Sequence[int]
) -> list[float]:
    """The `FIGURES` with one pair of scales, every speaker one vote."""
    mouth, rows = Anatomy.of(stage.model).mouth, []
    for name, style in styles.items():
        worn = method.with_style(style, speech_guidance=scales[0], style_guidance=scales[1])
        takes = [stage.take(worn, name, seed) for seed in seeds]
        truth = stage.speech[name].motion["expression"] @ mouth
        turns = torch.stack([take["rotation"] for take in takes])
        rows.append([
            fmean(float(mouth_correlation(take["expression"] @ mouth, truth)) for take in takes),
            fmean(stage.distance(statistics(take, stage.model), name) for take in takes),
            float(diversity_over_takes(turns).rad2deg()),
        ])  # fmt: skip
    return [fmean(column) for column in zip(*rows, strict=True)]


def plot(found: dict[tuple[float, float], list[float]], path: Path) -> None:
    """A curve over style scales for every speech scale, one panel a figure."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(FIGURES), figsize=(4.2 * len(FIGURES), 3.2))
    for k, (axis, title) in enumerate(zip(axes, FIGURES, strict=True)):
        for speech in SPEECH:
            values = [found[speech, style][k] for style in STYLE]
            axis.plot(STYLE, values, marker="o", markersize=3, label=f"speech {speech:g}")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("style scale")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guidance", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="of diffposetalk; those that ship if left out")
    parser.add_argument("--held-out", action="store_true", help="on held-out training speakers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--plot", type=Path, help="write the curves to this SVG or PNG")
    parser.add_argument("-o", "--output", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", DeclaimWarning)  # of scales that are 0
    corpus, model = Corpus(chosen.corpus), FaceModel.from_pretrained()
    method = DiffPoseTalk.from_pretrained(chosen.weights)
    clips = corpus.select(("train",))
    apart = HELD_OUT if chosen.held_out else ()
    judged = [clip for clip in clips if clip.speaker in apart] or corpus.select(("eval",))
    people = pieces_of(corpus, judged, method.config.encoder)
    training = learnt_statistics(corpus, [clip for clip in clips if clip.speaker not in apart], model)
    stage = Stage(people, torch.stack(list(training.values())).std(0), model)
    styles = seen_styles(method, people)
    found = {(a, s): measured(method, styles, stage, (a, s), chosen.seeds) for a in SPEECH for s in STYLE}
    rows = [(f"{a:g}", f"{s:g}", *(f"{value:.3f}" for value in values)) for (a, s), values in found.items()]
    print(markdown(("speech", "style", *FIGURES), rows))
    if chosen.plot:
        plot(found, chosen.plot)
    if chosen.output:
        write_report(chosen.output, {**provenance(), "found": {f"{a:g}, {s:g}": v for (a, s), v in found.items()}})
    return 0


if __name__ == "__main__":
    run(main)
