r"""One source file to clips: the unit of work that is dealt to processes and machines.

    CORPUS/work/BASE.survey.json     what a first look showed
          clips/BASE[--NNN]/...      files, stage by stage
          work/BASE.json             records and refusals: this source is done

Every file appears whole or not at all and depends on the source and the options alone. So a source can be killed at any
moment, prepared again by another process, or by two at once: the result is the same.
"""

import hashlib
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from declaim.data.corpus import CLIPS_FOLDER, MOTION, PICTURE, TRACK, ClipRecord, Refusal, file_entry
from declaim.data.prepare.options import PrepareOptions, Source
from declaim.data.prepare.quality import UNUSABLE, judge, judges
from declaim.data.prepare.stages import make_motion, make_sound, sound_keys, stage_file
from declaim.data.prepare.survey import Piece, Survey, frames_of, survey
from declaim.data.prepare.takes import Take, take_all
from declaim.errors import DeclaimWarning, MediaError, NoAudio, NoFace, Unwritable
from declaim.media import probe, read_audio
from declaim.pretrained import atomic_file
from declaim.timebase import SAMPLE_RATE, duration_s
from declaim.types import Speech

Saved = TypeVar("Saved", bound=BaseModel)
WORK_FOLDER = "work"
"""Folder of the corpus in which preparation remembers what is done. Without it everything is done anew."""


class Plan(BaseModel):
    """What a first look at a source showed, and what it depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stamp: str
    source_sha256: str
    seen: Survey
    sound_frames: int
    """Frames that the sound lasts; 0 without sound."""
    fps: float
    """Pictures a second in the file."""
    width: int
    """Of the upright picture in the file."""
    damaged: bool


class Outcome(BaseModel):
    """What a source gave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stamp: str
    judges: str
    clips: tuple[ClipRecord, ...]
    refused: tuple[Refusal, ...]


def prepare_source(source: Source, corpus: Path, options: PrepareOptions) -> list[ClipRecord | Refusal]:
    """Prepare one file; what is done already is not done again.

    Args:
        source: the file.
        corpus: the corpus's folder.
        options: the same for all sources of a corpus.

    Returns:
        The clips' records in order, then what was refused. A file that cannot be used gives a refusal.

    Raises:
        AssetError: the tracker or the encoder has not been fetched.
        ConfigError: unknown encoder, or PySceneDetect is not installed.
        CapacityError, Unwritable: the corpus cannot be written.
    """
    with _one_thread():
        outcome = _Preparation(source, Path(corpus), options).outcome()
    labels = {key: getattr(source, key) for key in ("speaker", "split", "language", "licence", "origin")}
    return [*(clip.model_copy(update={**labels, "source": source.name}) for clip in outcome.clips), *outcome.refused]


class _Preparation:
    """The work on one source."""

    def __init__(self, source: Source, corpus: Path, options: PrepareOptions) -> None:
        own_tempo = options.model_copy(update={"tempos": (1.0,)})
        self.source, self.corpus, self.options = source, corpus, options if source.other_tempos else own_tempo
        self.work = corpus / WORK_FOLDER
        self.work.mkdir(parents=True, exist_ok=True)
        self.outcome_file = self.work / f"{source.base}.json"
        self.plan_file = self.work / f"{source.base}.survey.json"

    def outcome(self) -> Outcome:
        """What the source gives: from an earlier run, or prepared now."""
        try:
            sha256 = _sha256(self.source.path)
        except OSError as error:
            return self._refusal("", f"cannot be read: {error.strerror or error}")
        stamp = self.options.stamp(sha256)
        earlier = _read(self.outcome_file, Outcome)
        if earlier and earlier.stamp == stamp and earlier.judges == judges() and self._whole(earlier):
            return earlier
        try:
            plan = self._plan(stamp, sha256)
            outcome = self._prepared(plan)
        except Unwritable:
            raise
        except MediaError as error:
            outcome = self._refusal(stamp, str(error))
        _write(self.outcome_file, outcome)
        return outcome

    def _plan(self, stamp: str, sha256: str) -> Plan:
        earlier = _read(self.plan_file, Plan)
        if earlier and earlier.stamp == stamp:
            return earlier
        clips = self.corpus / CLIPS_FOLDER  # what is there is of another source or of other options
        for folder in [clips / self.source.base, *clips.glob(f"{self.source.base}--*")]:
            shutil.rmtree(folder, ignore_errors=True)
        info = probe(self.source.path)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            seen = survey(self.source.path, frames_of(self.options.shortest_s), frames_of(self.options.longest_s))
            sound_frames = self._sound.n_frames if info.has_audio else 0
        plan = Plan(
            stamp=stamp,
            source_sha256=sha256,
            seen=seen,
            sound_frames=sound_frames,
            fps=float(info.fps or 0),
            width=info.width,
            damaged=any(issubclass(w.category, DeclaimWarning) and " is silent" not in str(w.message) for w in caught),
        )
        _write(self.plan_file, plan)
        return plan

    def _prepared(self, plan: Plan) -> Outcome:
        names, scale = self._names(plan.seen.pieces), plan.width / plan.seen.size[0]
        pieces = [_within_sound(piece, plan.sound_frames, self.options) for piece in plan.seen.pieces]
        takes = [take for name, piece in zip(names, pieces, strict=True) if (take := self._take(name, piece, scale))]
        if takes:
            with _unwarned():  # the first look has told of damage
                take_all(self.source.path, takes, self.options.picture_px, scale)
        clips, refused = [], []
        for name, piece in zip(names, pieces, strict=True):
            if stage_file(self._folder(name), TRACK).is_file() or stage_file(self._folder(name), MOTION).is_file():
                clips.append(self._clip(name, piece, plan, scale))
            else:
                shutil.rmtree(self._folder(name))
                refused.append(f"the face seen from {duration_s(piece.start):.1f} s on could not be followed")
        refused += _reasons(plan, self.options, bool(clips))
        return Outcome(
            stamp=plan.stamp,
            judges=judges(),
            clips=tuple(clips),
            refused=tuple(Refusal(source=self.source.name, reason=reason) for reason in refused),
        )

    def _take(self, name: str, piece: Piece, scale: float) -> Take | None:
        """What the second look has to bring for a piece."""
        folder = self._folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(".*.partial*"):  # of a run that was killed
            left_over.unlink(missing_ok=True)
        track, picture = stage_file(folder, TRACK), stage_file(folder, PICTURE)
        needs_track = not track.is_file() and (self.options.pictures or not stage_file(folder, MOTION).is_file())
        needs_picture = self._pictured(piece, scale) and not picture.is_file()
        if not needs_track and not needs_picture:
            return None
        return Take(piece, track if needs_track else None, picture if needs_picture else None)

    def _pictured(self, piece: Piece, scale: float) -> bool:
        return self.options.pictures and piece.face_px * scale >= self.options.picture_face_px

    def _clip(self, name: str, piece: Piece, plan: Plan, scale: float) -> ClipRecord:
        folder, sounds = self._folder(name), _has_sound(piece, plan.sound_frames)
        make_motion(folder)
        with _unwarned():
            if sounds:
                make_sound(folder, lambda: self._sound, piece.start, piece.stop, self.options)
            quality, flags = judge(
                folder, self.options, face_px=piece.face_px * scale, rivals=piece.rivals, source_fps=plan.fps,
                damaged=plan.damaged,
            )  # fmt: skip
        if not self.options.pictures:
            stage_file(folder, TRACK).unlink(missing_ok=True)
        keys = [MOTION, *(sound_keys(self.options) if sounds else []), *([TRACK] if self.options.pictures else [])]
        keys += [PICTURE] if self._pictured(piece, scale) else []
        left, top, side = piece.square
        return ClipRecord(
            name=name,
            speaker=self.source.speaker,
            split=self.source.split,
            source=self.source.name,
            source_sha256=plan.source_sha256,
            start_s=duration_s(piece.start),
            frames=piece.stop - piece.start,
            crop_box=(left * scale, top * scale, side * scale) if PICTURE in keys else None,
            files={key: file_entry(self.corpus, stage_file(folder, key)) for key in sorted(keys)},
            quality=quality,
            flags=flags,
            usable=not UNUSABLE.intersection(flags),
        )

    @cached_property
    def _sound(self) -> Speech:
        """The whole sound; a file whose sound holds nothing has none."""
        try:
            return read_audio(self.source.path)
        except NoAudio:
            return Speech(torch.zeros(0), SAMPLE_RATE)

    def _names(self, pieces: tuple[Piece, ...]) -> list[str]:
        if len(pieces) == 1:
            return [self.source.base]
        return [f"{self.source.base}--{number:03d}" for number in range(1, len(pieces) + 1)]

    def _folder(self, name: str) -> Path:
        return self.corpus / CLIPS_FOLDER / name

    def _whole(self, outcome: Outcome) -> bool:
        entries = (entry for clip in outcome.clips for entry in clip.files.values())
        return all(_size(self.corpus / entry.path) == entry.size for entry in entries)

    def _refusal(self, stamp: str, reason: str) -> Outcome:
        told = reason.replace(str(self.source.path), self.source.name)
        return Outcome(stamp=stamp, judges=judges(), clips=(), refused=(Refusal(source=self.source.name, reason=told),))


def _within_sound(piece: Piece, sound_frames: int, options: PrepareOptions) -> Piece:
    """The piece without a tail beyond the end of the sound, if enough is left."""
    stop = min(piece.stop, sound_frames)
    return piece.model_copy(update={"stop": stop}) if stop - piece.start >= frames_of(options.shortest_s) else piece


def _has_sound(piece: Piece, sound_frames: int) -> bool:
    return piece.stop <= sound_frames


def _reasons(plan: Plan, options: PrepareOptions, any_clip: bool) -> list[str]:
    """Why some of the source gave no clip."""
    n = plan.seen.too_short
    reasons = [f"{n} {'piece' if n == 1 else 'pieces'} shorter than {options.shortest_s:g} s"] if n else []
    if not any_clip and not reasons:
        reasons = [str(NoFace("no face was found in any of its frames"))]
    return reasons


@contextmanager
def _one_thread() -> Iterator[None]:
    """One torch thread: sums in another order would give other files, and small networks gain nothing from more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _unwarned() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeclaimWarning)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _read(path: Path, kind: type[Saved]) -> Saved | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(path: Path, value: BaseModel) -> None:
    with atomic_file(path) as partial:
        partial.write_text(value.model_dump_json(indent=1) + "\n", encoding="utf-8")
