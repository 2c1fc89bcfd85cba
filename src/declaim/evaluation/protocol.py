"""The frozen protocol: which clips with which checksums, which seeds, which metrics: what comparable tables share.

A protocol holds nothing of the machine: no paths, no times, no host. Its fingerprint stands under every table.
"""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from declaim.data.corpus import ACTIVITY, MOTION, PICTURE, SPEECH, ClipRecord, Corpus
from declaim.errors import CheckpointError, ConfigError
from declaim.evaluation.judging.store import digest
from declaim.evaluation.measures import measures
from declaim.pretrained import atomic_file
from declaim.types import Motion

PROTOCOL_VERSION = 3
"""Changes whenever a definition changes: then old and new tables cannot be compared."""

SHUFFLES = 3
"""Clips of other speakers whose speech stands in for a clip's own one in the floor."""
GAP_S = 2.0
"""Length of the digital silence put between two readings of a clip."""
STYLE_FRAMES = 50
"""Least frames with a face of a clip from which a style is taken."""
GAP_CLIP_FRAMES = 250
"""Most frames taken of a clip for that."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProtocolClip(_Strict):
    """One clip of a protocol."""

    name: str
    speaker: str
    language: str | None = None
    frames: int
    source_sha256: str = ""
    start_s: float = 0.0
    files: dict[str, str]
    """SHA-256 of what is read of it, by kind."""


class StyleSource(_Strict):
    """A clip from which a style is taken."""

    name: str
    sha256: str
    """Of its motion."""


class ClipStyles(_Strict):
    """Where the styles come from in which a method that takes styles plays a clip."""

    own: StyleSource | None
    """Another clip of the clip's speaker; None where there is none."""
    stranger: StyleSource | None
    """A clip of another speaker."""


class PictureProtocol(_Strict):
    """How pictures are judged."""

    frames: int = Field(6, ge=2)
    """Frames of every clip, evenly over its length, its first one (the portrait) left out."""
    side: int = Field(112, ge=64)
    """Side in pixels to which the head's box is brought for FID and the perceptual distance."""
    takes: int = Field(1, ge=1)
    """Seeds of which generated motion is drawn."""


class EvaluationProtocol(_Strict):
    """Everything two tables must share to be compared."""

    version: int = PROTOCOL_VERSION
    split: str
    seeds: tuple[int, ...] = Field(min_length=1)
    clips: tuple[ProtocolClip, ...] = Field(min_length=1)
    shuffles: int = SHUFFLES
    gap_s: float = GAP_S
    pictures: PictureProtocol | None = None
    styles: dict[str, ClipStyles] = {}
    """By clip."""
    metrics: dict[str, str] = {}
    """Definition of every metric."""

    @property
    def fingerprint(self) -> str:
        """First digits of the SHA-256 of all of it."""
        return digest(self.model_dump(mode="json"))[:12]

    @property
    def seconds(self) -> float:
        """Length of all clips together."""
        return sum(clip.frames for clip in self.clips) / 25

    @property
    def speakers(self) -> list[str]:
        """Who speaks."""
        return sorted({clip.speaker for clip in self.clips})


def freeze(
    corpus: Corpus,
    split: str,
    seeds: tuple[int, ...],
    *,
    pictures: bool = True,
    per_speaker: int | None = None,
) -> EvaluationProtocol:
    """The protocol of an evaluation on a corpus.

    Args:
        corpus: whose clips.
        split: which of them.
        seeds: takes.
        pictures: judge pictures too.
        per_speaker: at most so many clips of each speaker, evenly over them.

    Raises:
        ConfigError: no usable clip in the split, seeds given twice, or no pictures in the corpus.
    """
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ConfigError(f"seeds are {' '.join(map(str, seeds)) or 'none'}; give each once")
    chosen = _limited(corpus.select([split]), per_speaker)
    bare = [clip.name for clip in chosen if PICTURE not in clip.files]
    if pictures and bare:
        raise ConfigError(
            f"{len(bare)} of {len(chosen)} clips of {corpus.folder} have no pictures (such as {bare[0]}): "
            "prepare the corpus with pictures, or evaluate with --no-pictures"
        )
    return EvaluationProtocol(
        split=split,
        seeds=seeds,
        clips=tuple(_entry(clip, pictures) for clip in chosen),
        pictures=PictureProtocol() if pictures else None,
        styles=_styles(corpus, split, chosen),
        metrics={m.key: m.definition for m in measures(pictures=pictures)},
    )


def clips_of(protocol: EvaluationProtocol, corpus: Corpus) -> list[ClipRecord]:
    """The corpus's clips that a protocol names, in its order.

    Raises:
        ConfigError: a clip is missing or differs; the protocol is of another version.
    """
    if protocol.version != PROTOCOL_VERSION:
        raise ConfigError(
            f"the protocol is of version {protocol.version}, this declaim measures by version {PROTOCOL_VERSION}: "
            "tables of the two cannot be compared; freeze a new one by evaluating without it"
        )
    known = {clip.name: clip for clip in corpus.clips}
    for wanted in protocol.clips:
        clip = known.get(wanted.name)
        if clip is None:
            raise ConfigError(
                f"{corpus.folder} lacks clip {wanted.name} of the protocol; use the corpus it was made on"
            )
        if (now := _entry(clip, protocol.pictures is not None)) != wanted:
            changed = [k for k in type(now).model_fields if getattr(now, k) != getattr(wanted, k)]
            raise ConfigError(
                f"clip {wanted.name} of {corpus.folder} is not that of the protocol ({', '.join(changed)} differ); "
                "use the corpus it was made on, or freeze a new protocol in another folder"
            )
    for styles in protocol.styles.values():
        for source in (styles.own, styles.stranger):
            if source is not None and (source.name not in known or _source(known[source.name]) != source):
                raise ConfigError(
                    f"clip {source.name} of the protocol, from which a style is taken, is not in {corpus.folder} or "
                    "has changed; use the corpus it was made on"
                )
    return [known[wanted.name] for wanted in protocol.clips]


def difference(old: EvaluationProtocol, new: EvaluationProtocol) -> str | None:
    """One clause that says how two protocols differ; None if they are the same."""
    if old == new:
        return None
    before, now = {c.name: c for c in old.clips}, {c.name: c for c in new.clips}
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            how = "is new" if name not in before else "is gone" if name not in now else "has changed"
            return f"clip {name} {how}"
    fields = [k for k in type(new).model_fields if k != "clips" and getattr(old, k) != getattr(new, k)]
    first = fields[0]
    if first in ("metrics", "pictures", "styles"):
        return f"other {first}"
    return f"{first} was {getattr(old, first)} and is {getattr(new, first)}"


def read_protocol(path: Path) -> EvaluationProtocol:
    """The protocol in a ``protocol.json``.

    Raises:
        ConfigError: there is no such file, or it is of another version.
        CheckpointError: damaged.
    """
    if not path.is_file():
        raise ConfigError(f"there is no protocol {path}; every evaluation writes one beside its report")
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))["protocol"]
        if saved.get("version") != PROTOCOL_VERSION:
            raise ConfigError(
                f"{path} is a protocol of version {saved.get('version')}, this declaim measures by version "
                f"{PROTOCOL_VERSION}: tables of the two cannot be compared; use another folder"
            )
        return EvaluationProtocol.model_validate(saved)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ValidationError) as error:
        raise CheckpointError(f"{path} is no protocol, or is damaged: {str(error).splitlines()[0]}") from error


def write_protocol(path: Path, protocol: EvaluationProtocol, made_with: dict[str, object]) -> None:
    """Write ``protocol.json``: the protocol, and the code, weights and assets of the tables beside it."""
    content = {"protocol": protocol.model_dump(mode="json"), "made_with": made_with}
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def others(clips: list[ClipRecord], i: int, count: int = SHUFFLES) -> list[int]:
    """Clips of other speakers than clip ``i``'s, chosen by their names alone."""
    strangers = [j for j, clip in enumerate(clips) if clip.speaker != clips[i].speaker]
    return sorted(strangers, key=lambda j: digest([clips[i].name, clips[j].name]))[:count]


def take_seed(seed: int, clip: ClipRecord) -> int:
    """The seed with which a method makes take ``seed`` of a clip.

    Every clip has its own: with one for all, all clips of three seconds would blink in the same frames, and a rate over
    them would be the rate of one clip.
    """
    return int(digest([seed, clip.name])[:8], 16)


def _entry(clip: ClipRecord, pictures: bool) -> ProtocolClip:
    wanted = (MOTION, SPEECH, ACTIVITY, *((PICTURE,) if pictures else ()))
    files = {key: clip.files[key].sha256 for key in wanted if key in clip.files}
    return ProtocolClip(
        name=clip.name, speaker=clip.speaker, language=clip.language, frames=clip.frames,
        source_sha256=clip.source_sha256, start_s=clip.start_s, files=files,
    )  # fmt: skip


def _styles(corpus: Corpus, split: str, chosen: list[ClipRecord]) -> dict[str, ClipStyles]:
    """For every clip the longest other one of its speaker, and one of another speaker, chosen by their names alone."""
    pool = [clip for clip in corpus.select([split]) if _seen(corpus.motion(clip)) >= STYLE_FRAMES]
    found = {}
    for clip in chosen:
        own = [c for c in pool if c.speaker == clip.speaker and c.name != clip.name]
        strangers = [c for c in pool if c.speaker != clip.speaker]
        found[clip.name] = ClipStyles(
            own=_source(max(own, key=lambda c: (c.frames, c.name))) if own else None,
            stranger=_source(min(strangers, key=lambda c: digest([clip.name, c.name]))) if strangers else None,
        )
    return found


def _seen(motion: Motion) -> int:
    return len(motion) if motion.valid is None else int(motion.valid.sum())


def _source(clip: ClipRecord) -> StyleSource:
    return StyleSource(name=clip.name, sha256=clip.files[MOTION].sha256)


def _limited(clips: list[ClipRecord], count: int | None) -> list[ClipRecord]:
    """At most ``count`` clips of each speaker, evenly over them in their order."""
    if count is None:
        return clips
    groups: dict[str, list[ClipRecord]] = {}
    for clip in clips:
        groups.setdefault(clip.speaker, []).append(clip)
    return [group[round(k * (len(group) - 1) / max(min(count, len(group)) - 1, 1))]
            for group in groups.values() for k in range(min(count, len(group)))]  # fmt: skip
