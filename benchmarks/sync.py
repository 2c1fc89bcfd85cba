"""The sync expert on people it does not know: shifts found, windows told apart, by motion and by pictures.

    declaim prepare FOOTAGE --labels FOOTAGE/manifest.csv -o CORPUS
    python -m benchmarks.sync --corpus CORPUS -o sync.json --plot curve.png

The corpus must have been prepared with pictures for the picture head. `declaim.recipes.sync_figures` says what the
figures mean; intervals are 95 %, by bootstrap over speakers.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.report import Figure, figures_as_json, figures_table, markdown, provenance, write_report
from declaim.assets import shipped
from declaim.data.corpus import PICTURE, ClipRecord, Corpus
from declaim.recipes.sync_expert import speaking
from declaim.recipes.sync_figures import Judged, by_speaker, figures, intervals, own_offset
from declaim.recipes.sync_material import read_mouths
from declaim.sync import SyncExpert, lse_c, lse_d, offset

TARGETS = {
    "found": 0.90,
    "found_speech": 0.90,
    "found_other": 0.90,
    "pair": 0.85,
    "equal": 0.85,
    "pair_speech": 0.85,
    "equal_speech": 0.85,
}
TITLES = {
    "found": "offset of 3 s found within a frame",
    "found_speech": "the same, 3 s with speech in half of them",
    "found_other": "the same as the first, truth by the other head",
    "found_zero": "the same as the first, every clip taken for in step",
    "pair": ".4 s: true window nearer than shifted, all windows",
    "pair_speech": ".4 s: the same, windows with speech",
    "equal": ".4 s: one threshold, equal errors, all windows",
    "equal_speech": ".4 s: the same, windows with speech",
}


def embedded(
    expert: SyncExpert, corpus: Corpus, clip: ClipRecord
) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
    """Embeddings of speech, of what is seen by every head, and the frames with a face."""
    motion, features = corpus.motion(clip), corpus.features(clip, expert.config.encoder)
    seen = {"motion": motion.values}
    if expert.config.picture_channels and PICTURE in clip.files:
        seen["pictures"] = read_mouths(corpus, clip)
    frames = min(len(features), *(len(rows) for rows in seen.values()))
    with torch.no_grad():
        embeddings = {"motion": expert.embed_motion(seen["motion"][:frames])}
        if "pictures" in seen:
            embeddings["pictures"] = expert.embed_pictures(seen["pictures"][:frames])
        return expert.embed_speech(features[:frames]), embeddings, motion.valid[:frames]


def judge(expert: SyncExpert, corpus: Corpus, clips: list[ClipRecord]) -> dict[str, list[Judged]]:
    """Every clip of every head; clips shorter than the reach of the offsets are left out."""
    heads: dict[str, list[Judged]] = {"motion": [], "pictures": []}
    for clip in clips:
        speech, seen, valid = embedded(expert, corpus, clip)
        if len(speech) <= 15:
            continue
        for head, rows in seen.items():
            heads[head].append(Judged.of(clip.speaker, (speech, rows), valid, speaking(corpus, clip, len(valid))))
    return {head: judged for head, judged in heads.items() if judged}


def report(heads: dict[str, list[Judged]]) -> tuple[list[Figure], dict[str, object]]:
    found, speakers = [], {}
    own = {head: [own_offset(clip) for clip in clips] for head, clips in heads.items()}
    for head, clips in heads.items():
        rows = by_speaker(clips)
        values = figures(clips)
        for other in set(heads) - {head}:
            judged = by_speaker(clips, own[other])
            values["found_other"] = figures(clips, own[other])["found"]
            rows = {speaker: {**row, "found_other": judged[speaker]["found"]} for speaker, row in rows.items()}
        bounds = intervals(rows)
        speakers[head] = rows
        for name, title in TITLES.items():
            if name in values:
                low, high = bounds[name]
                beside = f"{low:.3f} to {high:.3f}"
                found.append(Figure(f"{head}: {title}", values[name], TARGETS.get(name, float("-inf")), beside=beside))
    return found, speakers


def plot(heads: dict[str, list[Judged]], names: list[str], wanted: str, path: Path) -> None:
    """Distance curves of one clip as it is and with its picture five frames late, and of another clip's sound."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(heads), figsize=(5.2 * len(heads), 3.4), sharey=True, squeeze=False)
    for axis, (head, clips) in zip(axes[0], heads.items(), strict=True):
        clip = clips[names.index(wanted)]
        for shift, label in ((0, "as it is"), (-5, "picture 5 frames late")):
            curve = clip.curve(5, shift, len(clip.distances) - 10)
            title = f"{label}: offset {offset(curve)}, LSE-D {lse_d(curve):.2f}, LSE-C {lse_c(curve):.2f}"
            axis.plot(range(-15, 16), curve, marker="o", markersize=3, label=title)
        axis.set_title({"motion": "motion head", "pictures": "picture head"}[head], fontsize=10)
        axis.set_xlabel("offset in frames (positive: the picture is late)")
        axis.set_ylim(0.7, 1.7)
        axis.legend(fontsize=8, loc="upper center")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("mean distance")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder of a corpus, with pictures")
    parser.add_argument("--split", default="eval")
    parser.add_argument("--weights", type=Path, help="folder of weights; those that ship by default")
    parser.add_argument("--plot", type=Path, help="write the curves of one clip to this PNG")
    parser.add_argument("--clip", help="which clip; the first one by default")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/sync.json"))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpus, expert = Corpus(chosen.corpus), SyncExpert.from_pretrained(chosen.weights)
    clips = corpus.select((chosen.split,))
    heads = judge(expert, corpus, clips)
    found, speakers = report(heads)
    for head, rows in speakers.items():
        names = list(next(iter(rows.values())))
        print(
            f"\n{head}\n"
            + markdown(("speaker", *names), [(s, *(f"{v:.2f}" for v in r.values())) for s, r in rows.items()])
        )
    print(f"\n{len(clips)} clips of {len({c.speaker for c in clips})} speakers\n\n" + figures_table(found))
    if chosen.plot:
        names = [clip.name for clip in clips]
        plot(heads, names, chosen.clip or names[0], chosen.plot)
    folder = chosen.weights or shipped("sync-expert")
    write_report(
        chosen.output, {**provenance({"sync-expert": folder}), "figures": figures_as_json(found), "speakers": speakers}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
