"""Styles, judged on people that no network has seen: ``python -m benchmarks.styles --corpus CORPUS -o styles.json``.

A piece is a clip; the only clip of a speaker gives two, its halves. Figures and their definitions:

- recall@1: every piece is looked for in a gallery of one other piece of each speaker (chance: one in as many as there
  are speakers); the nearest code, by cosine, ought to be the speaker's. Mean over draws of the gallery, every speaker
  one vote.
- wins: each speaker's last piece is spoken in everybody's style, taken from their first pieces. A win is a pair of
  speakers (own, other) where what is spoken in one's own style comes nearer to one's own statistics (those of one's
  real last piece) than what is spoken in the other's. The interval is over speakers (bootstrap).
- encoder against tables of training speakers, in whose mean row or in the row of the training speaker with the nearest
  statistics somebody unseen has to speak: the table of their codes, and with ``--one-hot RUN`` one that a method learnt
  instead of an encoder (preset ``one-hot``). The same distances from one's own statistics.

Statistics: logarithms of standard deviations (mouth opening and width, brows, head rotation), of the head's median
speed and of nods a minute, each in standard deviations over the training speakers.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from benchmarks.report import markdown, provenance, run, write_report
from declaim.data.corpus import ClipRecord, Corpus
from declaim.face.layouts import LIPS_INNER_LOWER
from declaim.face.model import FaceModel
from declaim.methods.diffposetalk import DiffPoseTalk
from declaim.motion.manner import manner_of
from declaim.motion.style import LEAST_FRAMES, Style
from declaim.recipes.motion import first_of_each
from declaim.types import Motion

LONGEST_FRAMES = 250
"""Frames of speech that are spoken in every style."""
DRAWS = 20
CLIPS_OF_A_ROW = 10
"""Most clips of a training speaker whose codes make his row."""
STATISTICS = ("mouth opening", "mouth width", "brows", "head rotation", "head speed", "nods")


@dataclass(frozen=True, eq=False)
class Piece:
    """A clip, or half of one.

    Attributes:
        speaker: who.
        motion: as tracked.
        features: of the speech.
        active: frames that hold speech.
    """

    speaker: str
    motion: Motion
    features: Float[Tensor, "frames features"]
    active: Bool[Tensor, " frames"]

    def between(self, start: int, stop: int) -> "Piece":
        rows = slice(start, stop)
        return Piece(self.speaker, self.motion.frames(start, stop), self.features[rows], self.active[rows])


def pieces_of(corpus: Corpus, clips: Sequence[ClipRecord], encoder: str) -> dict[str, list[Piece]]:
    """Every speaker's pieces, two at least."""
    found: dict[str, list[Piece]] = {}
    for clip in clips:
        motion, features, active = corpus.motion(clip), corpus.features(clip, encoder), corpus.speaking(clip)
        frames = min(len(motion), len(features), len(active))
        piece = Piece(clip.speaker, motion.frames(0, frames), features[:frames], active[:frames])
        found.setdefault(clip.speaker, []).append(piece)
    for speaker, pieces in found.items():
        if len(pieces) == 1:
            whole, n = pieces[0], len(pieces[0].motion)
            found[speaker] = [whole.between(0, n // 2), whole.between(n // 2, n)]
    return {s: pieces for s, pieces in found.items() if min(len(p.motion) for p in pieces) >= LEAST_FRAMES}


def statistics(motion: Motion, model: FaceModel) -> Float[Tensor, " statistics"]:
    """How somebody moves, as logarithms; see `STATISTICS`."""
    manner = manner_of(motion, model)
    corners = model.expression_basis[:, [LIPS_INNER_LOWER[-1], LIPS_INNER_LOWER[0]], 0]
    width = (motion["expression"] @ (corners[:, 0] - corners[:, 1])).std()
    sizes = [manner.mouth_cm, float(width), manner.brows_cm, manner.turn_deg, manner.speed_deg_s]
    return torch.tensor([*(np.log(max(size, 1e-3)) for size in sizes), np.log(manner.nods + 5.0)])


def learnt_statistics(corpus: Corpus, clips: Sequence[ClipRecord], model: FaceModel) -> dict[str, Tensor]:
    """Statistics of every speaker, means over his clips."""
    found: dict[str, list[Tensor]] = {}
    for clip in clips:
        found.setdefault(clip.speaker, []).append(statistics(corpus.motion(clip), model))
    return {speaker: torch.stack(values).mean(0) for speaker, values in sorted(found.items())}


def recall(codes: dict[str, Tensor]) -> tuple[float, dict[str, float]]:
    """recall@1 of pieces' codes, and of every speaker."""
    names, rng = list(codes), np.random.default_rng(0)
    hits: dict[str, list[bool]] = {name: [] for name in names}
    for _ in range(DRAWS):
        for i, name in enumerate(names):
            for k in range(len(codes[name])):
                spare = [j for j in range(len(codes[name])) if j != k]
                drawn = [rng.choice(spare) if n == name else rng.integers(len(codes[n])) for n in names]
                gallery = torch.stack([codes[n][j] for n, j in zip(names, drawn, strict=True)])
                nearest = functional.cosine_similarity(codes[name][k], gallery).argmax()
                hits[name].append(int(nearest) == i)
    each = {name: fmean(values) for name, values in hits.items()}
    return fmean(each.values()), each


class Stage:
    """Everybody's last piece spoken in a style, compared with the real one.

    Args:
        people: pieces by speaker.
        scale: standard deviations of the statistics.
        model: the face model.
    """

    def __init__(self, people: dict[str, list[Piece]], scale: Tensor, model: FaceModel) -> None:
        self.scale, self.model = scale, model
        self.speech = {name: pieces[-1].between(0, LONGEST_FRAMES) for name, pieces in people.items()}
        self.real = {name: statistics(pieces[-1].motion, model) for name, pieces in people.items()}

    def take(self, method: DiffPoseTalk, name: str, seed: int) -> Motion:
        """A speaker's speech as the method speaks it."""
        piece = self.speech[name]
        return method.generate_from_features([piece.features], len(piece.features), active=piece.active, seed=seed)

    def spoken(self, method: DiffPoseTalk, name: str, seed: int) -> float:
        """How far a speaker's speech, as the method speaks it, is from his real statistics."""
        return self.distance(statistics(self.take(method, name, seed), self.model), name)

    def distance(self, found: Tensor, name: str) -> float:
        """Root mean square difference from a speaker's real statistics."""
        return float(((found - self.real[name]) / self.scale).square().mean().sqrt())


def wins(
    stage: Stage, method: DiffPoseTalk, styles: dict[str, Style], seed: int
) -> tuple[np.ndarray, dict[str, float]]:
    """For every pair (own, other): whether the own style is nearer; and the distances in the own style."""
    names = list(styles)
    worn = {name: method.with_style(style) for name, style in styles.items()}
    won = np.full((len(names), len(names)), np.nan)
    own = {}
    for i, name in enumerate(names):
        found = [stage.spoken(worn[other], name, seed) for other in names]
        own[name] = found[i]
        for j, distance in enumerate(found):
            if i != j:
                won[i, j] = float(found[i] < distance)
    return won, own


def interval(won: np.ndarray) -> tuple[float, float]:
    """95 % interval of the share of wins, drawing speakers anew."""
    rng, count = np.random.default_rng(0), len(won)
    means = []
    for _ in range(1000):
        drawn = rng.integers(count, size=count)
        means.append(np.nanmean(won[np.ix_(drawn, drawn)]))
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def table_styles(
    method: DiffPoseTalk,
    rows: dict[str, Tensor],
    training: dict[str, Tensor],
    people: dict[str, list[Piece]],
    scale: Tensor,
    model: FaceModel,
) -> dict[str, Callable[[str], DiffPoseTalk]]:
    """How a method with a table of training speakers speaks for others: in its mean row, or the nearest speaker's."""

    def worn(code: Tensor) -> DiffPoseTalk:
        return method.with_style(Style(code, method.style_key, "table", 0.0))

    def nearest(name: str) -> DiffPoseTalk:
        seen = statistics(people[name][0].motion, model)
        return worn(rows[min(rows, key=lambda other: float(((training[other] - seen) / scale).square().sum()))])

    return {"mean row": lambda name: worn(torch.stack(list(rows.values())).mean(0)), "nearest row": nearest}


def learnt_rows(method: DiffPoseTalk, training: dict[str, Tensor]) -> dict[str, Tensor]:
    """The rows of a learnt table, in the speakers' order in training."""
    return dict(zip(sorted(training), method.style_table.weight.detach(), strict=True))


def rows_of_codes(method: DiffPoseTalk, corpus: Corpus, clips: Sequence[ClipRecord]) -> dict[str, Tensor]:
    """Every training speaker's mean code."""
    found: dict[str, list[Tensor]] = {}
    few = first_of_each(clips, CLIPS_OF_A_ROW)
    for clip in clips:
        if clip.name in few:
            found.setdefault(clip.speaker, []).append(method.style_of(corpus.motion(clip)).code)
    return {speaker: torch.stack(codes).mean(0) for speaker, codes in found.items()}


def seen_styles(method: DiffPoseTalk, people: dict[str, list[Piece]]) -> dict[str, Style]:
    """Everybody's style, from all pieces but the last."""
    styles = {}
    for name, pieces in people.items():
        codes = [method.style_of(piece.motion).code for piece in pieces[:-1]]
        styles[name] = Style(torch.stack(codes).mean(0), method.style_key, name, 0.0)
    return styles


def judged(
    method: DiffPoseTalk,
    tables: dict[str, tuple[DiffPoseTalk, dict[str, Tensor]]],
    people: dict[str, list[Piece]],
    training: dict[str, Tensor],
    seeds: Sequence[int],
    model: FaceModel,
) -> dict[str, object]:
    """Every figure."""
    scale = torch.stack(list(training.values())).std(0)
    codes = {n: torch.stack([method.style_of(p.motion).code for p in pieces]) for n, pieces in people.items()}
    plain = {n: torch.stack([statistics(p.motion, model) / scale for p in pieces]) for n, pieces in people.items()}
    several = [n for n, pieces in people.items() if len(pieces) > 2]
    found, each = recall(codes)
    report: dict[str, object] = {
        "speakers": len(people), "recall": found, "chance": 1 / len(people), "recall_each": each,
        "recall_of_several_clips": fmean(each[n] for n in several), "recall_by_statistics": recall(plain)[0],
    }  # fmt: skip
    styles = seen_styles(method, people)
    rows: dict[str, list[dict[str, float]]] = {}
    shares, wons = [], []
    stage = Stage(people, scale, model)
    for seed in seeds:
        won, own = wins(stage, method, styles, seed)
        wons.append(won)
        shares.append(float(np.nanmean(won)))
        rows.setdefault("encoder", []).append(own)
        ways = {"no style": lambda name: method.with_style(None)}
        for table, (kind, table_rows) in tables.items():
            worn = table_styles(kind, table_rows, training, people, scale, model)
            ways |= {f"{table}, {which}": way for which, way in worn.items()}
        for name, way in ways.items():
            rows.setdefault(name, []).append({n: stage.spoken(way(n), n, seed) for n in people})
    report |= {"wins_by_seed": shares, "wins": fmean(shares), "wins_interval": interval(np.mean(wons, 0))}
    report["distances"] = {
        way: {"by_seed": [fmean(d.values()) for d in each_seed],
              "each": {n: fmean(d[n] for d in each_seed) for n in people}}
        for way, each_seed in rows.items()
    }  # fmt: skip
    return report


def shown(report: dict[str, object]) -> str:
    """The figures in words and a table."""
    distances: dict[str, dict[str, object]] = report["distances"]  # type: ignore[assignment]
    own: dict[str, float] = distances["encoder"]["each"]  # type: ignore[assignment]
    lines = []
    for way, row in distances.items():
        each: dict[str, float] = row["each"]  # type: ignore[assignment]
        nearer = fmean(float(own[n] < each[n]) for n in own)
        by_seed = " ".join(f"{value:.2f}" for value in row["by_seed"])  # type: ignore[attr-defined]
        lines.append((way, f"{fmean(each.values()):.2f}", by_seed, "-" if way == "encoder" else f"{nearer:.2f}"))
    low, high = report["wins_interval"]  # type: ignore[misc]
    return "\n".join([
        f"recall@1 {report['recall']:.2f} among {report['speakers']} speakers (chance {report['chance']:.3f}; speakers "
        f"of several clips {report['recall_of_several_clips']:.2f}; statistics {report['recall_by_statistics']:.2f})",
        f"wins {report['wins']:.2f} ({low:.2f} to {high:.2f}; seeds {report['wins_by_seed']})",
        markdown(("style from", "distance", "by seed", "encoder nearer, share of speakers"), lines),
    ])  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.styles", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="of diffposetalk; those that ship if left out")
    parser.add_argument("--one-hot", type=Path, help="weights of the preset one-hot, to compare with")
    parser.add_argument("--speakers", nargs="+", help="these speakers of split train instead of split eval")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("-o", "--output", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus, model = Corpus(chosen.corpus), FaceModel.from_pretrained()
    method = DiffPoseTalk.from_pretrained(chosen.weights)
    clips = corpus.select(("train",))
    asked = set(chosen.speakers or ())
    seen = [clip for clip in clips if clip.speaker in asked] if asked else corpus.select(("eval",))
    learnt = [clip for clip in clips if clip.speaker not in asked]
    people = pieces_of(corpus, seen, method.config.encoder)
    training = learnt_statistics(corpus, learnt, model)
    tables = {"codes of training speakers": (method, rows_of_codes(method, corpus, learnt))}
    if chosen.one_hot:
        tabled = DiffPoseTalk.from_pretrained(chosen.one_hot)
        tables["learnt table"] = tabled, learnt_rows(tabled, training)
    report = judged(method, tables, people, training, chosen.seeds, model)
    print(shown(report))
    if chosen.output:
        write_report(chosen.output, {**provenance(), **report})
    return 0


if __name__ == "__main__":
    run(main)
