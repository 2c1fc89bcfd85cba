"""A corpus as one HTML page that needs no network: totals, tables, histograms, clips that play beside their curves."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path

from declaim.data.corpus import REFUSED_FILE, ClipRecord, Corpus, Refusal, read_lines
from declaim.data.page.clips import Budget, clip_card, flag_badge
from declaim.data.page.figures import histogram_svg
from declaim.errors import ConfigError
from declaim.face.model import FaceModel
from declaim.pretrained import atomic_file
from declaim.timebase import duration_s
from declaim.types import OnStep

__all__ = ["Budget", "write_page"]

EMBEDDED = Budget(file_bytes=1_500_000, left_bytes=40_000_000)
"""Pages beyond some ten megabytes open slowly; larger files are linked."""
_TABLE_ROWS = 200


def write_page(
    corpus: Corpus,
    path: Path,
    *,
    speakers: Sequence[str] | None = None,
    most: int = 50,
    embedded: Budget = EMBEDDED,
    on_step: OnStep | None = None,
) -> int:
    """Write the page.

    Args:
        corpus: what to show.
        path: the HTML file.
        speakers: only their clips are shown (None: all); tables and histograms are of the whole corpus.
        most: clips to show, dealt evenly over the speakers.
        embedded: how much of the clips' pictures and sound goes into the page.
        on_step: called with (clips drawn, clips to draw).

    Returns:
        How many clips' files are linked rather than embedded: the page needs the corpus beside it to play those.

    Raises:
        ConfigError: no such speaker.
        CheckpointError: a clip's file is damaged.
        Unwritable, CapacityError: the page cannot be written.
    """
    known = {clip.speaker for clip in corpus.clips}
    if unknown := [speaker for speaker in speakers or () if speaker not in known]:
        raise ConfigError(f"{corpus.folder} has no speaker {unknown[0]!r}; it has {', '.join(sorted(known))}")
    chosen = _dealt([c for c in corpus.clips if speakers is None or c.speaker in speakers], most)
    model, budget = FaceModel.from_pretrained(), replace(embedded)
    cards = []
    for number, clip in enumerate(chosen, 1):
        cards.append(clip_card(corpus, clip, model, path, budget))
        if on_step:
            on_step(number, len(chosen))
    refusals = read_lines(corpus.folder / REFUSED_FILE, Refusal)
    body = [
        _head(corpus),
        _tiles(corpus, refusals),
        _plots(corpus.clips),
        _tables(corpus, refusals),
        _gallery(chosen, cards),
    ]
    with atomic_file(path) as partial:
        partial.write_text(_document(f"Corpus {corpus.folder.resolve().name}", body), encoding="utf-8")
    return budget.linked


def _dealt(clips: Sequence[ClipRecord], most: int) -> list[ClipRecord]:
    """At most so many clips: the first of every speaker, then the second of every speaker, ..., by name."""
    hands: defaultdict[str, list[ClipRecord]] = defaultdict(list)
    for clip in clips:
        hands[clip.speaker].append(clip)
    rounds = (clip for row in zip_longest(*(hands[s] for s in sorted(hands))) for clip in row if clip is not None)
    return sorted([clip for _, clip in zip(range(most), rounds, strict=False)], key=lambda clip: clip.name)


def _document(title: str, body: Iterable[str]) -> str:
    inner = "\n".join(body)
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in ("style.css", "script.js"))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>\n{style}</style></head>\n<body><main>\n{inner}\n</main>\n<script>\n{script}</script></body></html>\n"
    )


def _head(corpus: Corpus) -> str:
    info = corpus.info
    made = f"made by {info.made_by}, " if info.made_by else ""
    settings = ", ".join(f"{key} {value}" for key, value in info.settings.items() if key != "encoder")
    return (
        f"<h1>Corpus {escape(corpus.folder.resolve().name)}</h1>"
        f'<p class="under">{escape(f"{made}format {info.format_version}, speech features by {info.encoder}")}'
        f"{f'<br>{escape(settings)}' if settings else ''}</p>"
    )


def _minutes(clips: Iterable[ClipRecord]) -> float:
    return sum(duration_s(clip.frames) for clip in clips) / 60


def _tiles(corpus: Corpus, refusals: Sequence[Refusal]) -> str:
    used = [clip for clip in corpus.clips if clip.usable]
    tiles = {
        "minutes in use": f"{_minutes(used):.1f}",
        "clips in use": str(len(used)),
        "speakers": str(len({clip.speaker for clip in used})),
        "splits": ", ".join(sorted({clip.split for clip in corpus.clips})) or "none",
        "clips not used": str(len(corpus.clips) - len(used)),
        "files or pieces refused": str(len(refusals)),
    }
    inner = "".join(f'<div class="card tile"><b>{escape(v)}</b><span>{k}</span></div>' for k, v in tiles.items())
    return f'<section class="tiles">{inner}</section>'


def _plots(clips: Sequence[ClipRecord]) -> str:
    q = [clip.quality for clip in clips]
    faces = [m.face_px for m in q if m.face_px is not None]
    widest = max(faces, default=0.0)
    top = next((n for n in (200, 300, 400, 600, 800, 1200, 2000) if widest <= n), 4000)
    plots = [
        histogram_svg(faces, "Face height", "px in the source", [top * i / 20 for i in range(21)]),
        histogram_svg(
            [max(abs(a) for a in m.yaw_deg) for m in q if m.yaw_deg], "Largest turn of the head", "degrees",
            [float(n) for n in range(0, 91, 5)],
        ),
        histogram_svg(
            [float(m.av_offset) for m in q if m.av_offset is not None], "Picture late by", "frames",
            [n - 0.5 for n in range(-15, 17)], mark=0.0,
        ),
        histogram_svg(
            [100 * m.speech_share for m in q if m.speech_share is not None], "Speech", "% of the frames",
            [float(n) for n in range(0, 101, 5)],
        ),
    ]  # fmt: skip
    return f'<h2>What the clips are like</h2><section class="plots">{"".join(plots)}</section>'


def _tables(corpus: Corpus, refusals: Sequence[Refusal]) -> str:
    flags = Counter(flag for clip in corpus.clips for flag in clip.flags)
    reasons = Counter(refusal.reason for refusal in refusals)
    flag_rows = [(flag_badge(flag), str(n)) for flag, n in flags.most_common()]
    refusal_rows = [
        (f"{escape(reason)}<br><small>{escape(_sources(refusals, reason))}</small>", str(n))
        for reason, n in reasons.most_common(_TABLE_ROWS)
    ]
    left = _group_table("Splits", "split", corpus.clips) + _group_table("Speakers", "speaker", corpus.clips)
    right = _card("Flags", _table(("flag", "clips"), flag_rows) if flag_rows else "<p>No clip is flagged.</p>")
    right += _card(
        "Refused", _table(("reason", "times"), refusal_rows) if refusal_rows else "<p>Nothing was refused.</p>"
    )
    return f'<section class="pair"><div>{left}</div><div>{right}</div></section>'


def _sources(refusals: Sequence[Refusal], reason: str) -> str:
    named = [refusal.source for refusal in refusals if refusal.reason == reason]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _group_table(title: str, attribute: str, clips: Sequence[ClipRecord]) -> str:
    groups: defaultdict[str, list[ClipRecord]] = defaultdict(list)
    for clip in clips:
        groups[getattr(clip, attribute)].append(clip)
    used = {name: [clip for clip in group if clip.usable] for name, group in groups.items()}
    most = max((_minutes(group) for group in used.values()), default=0.0) or 1.0
    rows = []
    for name in sorted(groups, key=lambda name: (-_minutes(used[name]), name))[:_TABLE_ROWS]:
        minutes, out = _minutes(used[name]), len(groups[name]) - len(used[name])
        meter = f'<div class="meter"><i style="width:{100 * minutes / most:.1f}%"></i></div>'
        splits = ", ".join(sorted({clip.split for clip in groups[name]}))
        label = f"{escape(name)} <small>{escape(splits)}</small>" if attribute == "speaker" else escape(name)
        rows.append((label, f"{minutes:.1f}", str(len(used[name])), str(out or ""), meter))
    left_out = len(groups) - len(rows)
    more = f"<p>and {left_out} more</p>" if left_out > 0 else ""
    return _card(title, _table((attribute, "minutes", "clips", "not used", ""), rows) + more)


def _card(title: str, inner: str) -> str:
    return f'<h2>{title}</h2><div class="card tall">{inner}</div>'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML; the second column on are numbers."""

    def row(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}{' class=n' if i else ''}>{c}</{tag}>" for i, c in enumerate(cells)) + "</tr>"

    return f"<table>{row('th', header)}{''.join(row('td', cells) for cells in rows)}</table>"


def _gallery(chosen: Sequence[ClipRecord], cards: Sequence[str]) -> str:
    splits = sorted({clip.split for clip in chosen})
    flags = [flag for flag, _ in Counter(flag for clip in chosen for flag in clip.flags).most_common()]
    words = [*(splits if len(splits) > 1 else []), *flags]
    chips = "".join(
        f'<button type="button" aria-pressed="false" data-word="{escape(word.lower())}">{escape(word)}</button>'
        for word in words
    )
    return (
        '<h2>Clips</h2><div class="filter"><input type="search" placeholder="name, speaker, split, flag, licence …" '
        f'aria-label="filter the clips"><span class="chips">{chips}</span>'
        f'<small id="shown">{len(cards)} of {len(cards)} clips</small></div>{"".join(cards)}'
    )
