"""An evaluation from a corpus to a folder with report.md, report.json, report.html and protocol.json."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from declaim.assets import shipped
from declaim.data.corpus import Corpus
from declaim.errors import AssetError, ConfigError
from declaim.evaluation.judging.actors import chosen_actors, weight_hashes, with_styles
from declaim.evaluation.judging.pictures import Gallery
from declaim.evaluation.judging.playing import Stage, records_of
from declaim.evaluation.judging.store import Store
from declaim.evaluation.markdown import full
from declaim.evaluation.page import build_page
from declaim.evaluation.page.samples import samples, videos
from declaim.evaluation.protocol import (
    EvaluationProtocol,
    clips_of,
    difference,
    freeze,
    read_protocol,
    write_protocol,
)
from declaim.evaluation.report import build_report, provenance
from declaim.evaluation.waiting import waiting_figures
from declaim.pretrained import atomic_file
from declaim.sync import SyncExpert
from declaim.types import OnStep

PROTOCOL, REPORT, MARKDOWN, PAGE, WORK = "protocol.json", "report.json", "report.md", "report.html", "work"
"""What an evaluation writes into its folder."""

PICTURE_ASSETS = ("face-landmarker", "mobilefacenet", "vgg16-hed")
"""Pretrained parts that judge pictures."""

OnStage = Callable[[str], OnStep]
"""Called at the start of a stage with its name; gives the stage's progress hook."""


@dataclass(frozen=True)
class Wishes:
    """What to evaluate.

    Attributes:
        methods: registered names, or ``lips=METHOD,head=METHOD``.
        weights: ``method=FOLDER``.
        renderer: registered name.
        split: of the corpus.
        seeds: takes.
        pictures: draw and judge pictures too.
        per_speaker: at most so many clips of each speaker.
        protocol: a protocol.json to be followed to the letter; then split, seeds and clips are its own.
        syncnet: folder of a sync expert other than the one that ships.
    """

    methods: tuple[str, ...]
    weights: tuple[str, ...] = ()
    renderer: str = "mesh"
    split: str = "eval"
    seeds: tuple[int, ...] = (0, 1, 2)
    pictures: bool = True
    per_speaker: int | None = None
    protocol: Path | None = None
    syncnet: Path | None = None


def evaluate(corpus: Corpus, folder: Path, wishes: Wishes, on_stage: OnStage | None = None) -> dict[str, Any]:
    """Evaluate methods on a corpus; what an earlier run into ``folder`` finished is used again.

    Args:
        corpus: its clips are the truth.
        folder: where the report goes; made if it is not there.
        wishes: what to evaluate.
        on_stage: progress.

    Returns:
        The report, as in report.json.

    Raises:
        ConfigError: unknown names, missing weights, no clips, no pictures, or a folder with another protocol's results.
    """
    begin = on_stage or (lambda name: lambda done, total: None)
    protocol = agreed_protocol(corpus, folder, wishes)
    clips = clips_of(protocol, corpus)
    chosen = chosen_actors(list(dict.fromkeys(wishes.methods)), list(wishes.weights))
    actors = with_styles(chosen, corpus, protocol)
    expert, hashes = sync_expert(wishes.syncnet)
    folder.mkdir(parents=True, exist_ok=True)
    used = ["whisper-tiny.en", *(PICTURE_ASSETS if protocol.pictures is not None else ())]
    made_with = provenance(actors, hashes, used, protocol.pictures is not None, wishes.renderer)
    write_protocol(folder / PROTOCOL, protocol, made_with)
    stage = Stage(corpus, protocol, clips, actors, Store(folder / WORK), expert, hashes)
    stage.generate(begin("speech to motion"))
    made = stage.scores(begin("motion to scores"))
    records = records_of(made)
    sets = waiting_figures([clip for _, clip in made])
    gallery = None if protocol.pictures is None else Gallery(stage, wishes.renderer)
    if gallery is not None:
        seen, drawn = gallery.judge(begin("motion to pictures"))
        records += seen
        sets = {row: sets.get(row, {}) | drawn.get(row, {}) for row in {*sets, *drawn}}
    report = build_report(
        protocol=protocol, actors=actors, records=records, made=[m for _, m in made], sets=sets, made_with=made_with
    )
    write_text(folder / REPORT, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    write_text(folder / MARKDOWN, full(report))
    shown = videos(gallery, begin("side-by-side clips")) if gallery else []
    write_text(folder / PAGE, build_page(report, samples(stage), shown))
    return report


def agreed_protocol(corpus: Corpus, folder: Path, wishes: Wishes) -> EvaluationProtocol:
    """The protocol that is asked for, checked against the one of earlier results in ``folder``.

    Raises:
        ConfigError: they differ.
    """
    if wishes.protocol is not None:
        protocol = read_protocol(wishes.protocol)
    else:
        protocol = freeze(corpus, wishes.split, wishes.seeds, pictures=wishes.pictures, per_speaker=wishes.per_speaker)
    kept = folder / PROTOCOL
    if kept.is_file():
        apart = difference(read_protocol(kept), protocol)
        if apart is not None:
            raise ConfigError(
                f"{folder} holds an evaluation by another protocol ({apart}); use another folder, or remove that one"
            )
    return protocol


def sync_expert(folder: Path | None) -> tuple[SyncExpert | None, dict[str, str]]:
    """The expert behind LSE-D and LSE-C with its hashes; none where this declaim ships none."""
    if folder is None:
        try:
            folder = shipped("sync-expert")
        except AssetError:
            return None, {}
    return SyncExpert.from_pretrained(folder), weight_hashes(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
