"""A corpus on disk: tracked, encoded, checked clips, and a list of them in JSON lines.

    CORPUS/
      corpus.json                what it is: kind, format version, layout, encoder, settings it was made with
      clips.jsonl                one `ClipRecord` a line, ordered by name
      refused.jsonl              one `Refusal` a line: files and pieces that could not be used, and why
      clips/NAME/
        motion.safetensors       motion (frames, 70) float32, valid (frames,) bool
        activity.safetensors     speaking (frames,) bool
        features-ENCODER-1.00.safetensors   features (frames, n) float16, at tempo 1.00
        speech.flac              16 kHz, mono
        picture.mp4              the square around the face, 25 fps; only for clips with pictures
        track.safetensors        points (frames, 478, 3) float32 px, scores (frames, 52), valid, size; likewise

Every file is named with its SHA-256 in the record. Splits never share a speaker.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeVar

from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from declaim.errors import CheckpointError, ConfigError
from declaim.face.layouts import FACE64
from declaim.face.track import Track
from declaim.media import read_audio
from declaim.pretrained import atomic_file, load_tensors
from declaim.timebase import FPS
from declaim.types import Motion, Speech

CORPUS_VERSION = 1
"""Version of the format; a corpus of another version is refused."""
CORPUS_FILE, CLIPS_FILE, REFUSED_FILE, CLIPS_FOLDER = "corpus.json", "clips.jsonl", "refused.jsonl", "clips"
MOTION, ACTIVITY, SPEECH, PICTURE, TRACK = "motion", "activity", "speech", "picture", "track"
"""Keys of `ClipRecord.files`; features have `features_key`."""


def features_key(encoder: str, tempo: float = 1.0) -> str:
    """Key of the features that ``encoder`` made of the sound at ``tempo``: also the file's stem."""
    return f"features-{encoder}-{tempo:.2f}"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Row = TypeVar("Row", bound=_Strict)


class FileEntry(_Strict):
    """One file of a clip."""

    path: str
    """Relative to the corpus, with forward slashes."""
    sha256: str
    size: int = Field(ge=0)
    """Bytes."""


class Quality(_Strict):
    """What was measured about a clip; None where it could not be measured."""

    face_px: float | None = None
    """Height of the face in the source's pixels, median."""
    yaw_deg: tuple[float, float] | None = None
    """Smallest and largest turn of the head to the side."""
    pitch_deg: tuple[float, float] | None = None
    """The same, nodding."""
    roll_deg: tuple[float, float] | None = None
    """The same, tilting."""
    missing: float = 0.0
    """Share of frames without a face."""
    longest_gap: int = 0
    """Most frames without a face in a row."""
    speech_share: float | None = None
    """Share of frames in which somebody speaks."""
    level_db: float | None = None
    """Mean level of the speech, dB of full scale."""
    level_range_db: float | None = None
    """Between the quietest and the loudest tenth of the sound; small for music and noise."""
    av_offset: int | None = None
    """Frames by which the picture comes late (negative: early), by the sync expert."""
    av_confidence: float | None = None
    """The sync expert's LSE-C: how sure the offset is."""


class ClipRecord(_Strict):
    """One clip: one face, one shot, one speaker."""

    name: str
    """Unique; also its folder's name."""
    speaker: str
    split: str
    """``train``, ``eval``, ...; all clips of a speaker share it."""
    language: str | None = None
    """BCP 47 tag, if known."""
    licence: str | None = None
    """Licence or origin of the footage, if known."""
    source: str = ""
    """Name of the file it was cut from, relative to the folder that was prepared."""
    origin: str = ""
    """Where the footage was published, if known: the labels' column ``source``. GRID's sentences follow from it."""
    source_sha256: str = ""
    start_s: float = 0.0
    """Where in the source it begins."""
    frames: int = Field(gt=0)
    crop_box: tuple[float, float, float] | None = None
    """Left, top and side of the square that ``picture`` shows, in pixels of the upright source."""
    files: dict[str, FileEntry]
    quality: Quality = Quality()
    flags: tuple[str, ...] = ()
    """What is odd about it, see docs/data.md."""
    usable: bool = True
    """Whether training and evaluation take it."""


class Refusal(_Strict):
    """A file, or a piece of one, that gave no clip."""

    source: str
    reason: str


class CorpusInfo(_Strict):
    """What ``corpus.json`` says."""

    kind: Literal["corpus"] = "corpus"
    format_version: int = CORPUS_VERSION
    layout: str = FACE64.name
    encoder: str = "whisper-tiny.en"
    made_by: str = ""
    """Command or program."""
    settings: dict[str, str | int | float | bool | list[float] | None] = {}
    """What the clips depend on; preparing into the same folder with other settings is refused."""


class Corpus:
    """A corpus for reading.

    Args:
        folder: its folder.

    Raises:
        ConfigError: no corpus there.
        CheckpointError: damaged, or of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.info = read_info(self.folder)
        self.clips: list[ClipRecord] = read_lines(self.folder / CLIPS_FILE, ClipRecord)

    def select(
        self, splits: Sequence[str] | None = None, *, usable: bool = True, speakers: Sequence[str] | None = None
    ) -> list[ClipRecord]:
        """Clips of some splits and speakers (None: all), without unusable ones unless asked for.

        Raises:
            ConfigError: there is none.
        """
        found = [
            clip
            for clip in self.clips
            if (splits is None or clip.split in splits)
            and (speakers is None or clip.speaker in speakers)
            and (clip.usable or not usable)
        ]
        if not found:
            wanted = "" if splits is None else f" of split {' or '.join(splits)}"
            known = ", ".join(sorted({clip.split for clip in self.clips})) or "none"
            raise ConfigError(f"{self.folder} has no usable clip{wanted}; it has the splits: {known}")
        return found

    def path(self, clip: ClipRecord, key: str) -> Path:
        """Path of one of a clip's files.

        Raises:
            ConfigError: the clip has no such file.
        """
        if key not in clip.files:
            raise ConfigError(
                f"clip {clip.name} of {self.folder} has no {key}; it has {', '.join(sorted(clip.files))}: "
                "prepare the corpus with it"
            )
        return self.folder / clip.files[key].path

    def motion(self, clip: ClipRecord) -> Motion:
        """Tracked motion; `Motion.valid` tells the frames in which the face was seen."""
        tensors = load_tensors(self.path(clip, MOTION))
        return Motion(tensors["motion"].float(), FACE64, FPS, tensors["valid"].bool())

    def speaking(self, clip: ClipRecord) -> Bool[Tensor, " frames"]:
        """Frames in which somebody speaks."""
        return load_tensors(self.path(clip, ACTIVITY))["speaking"].bool()

    def features(
        self, clip: ClipRecord, encoder: str | None = None, tempo: float = 1.0
    ) -> Float[Tensor, "frames features"]:
        """Speech features at a tempo; by default of the corpus's own encoder."""
        key = features_key(encoder or self.info.encoder, tempo)
        return load_tensors(self.path(clip, key))["features"].float()

    def speech(self, clip: ClipRecord) -> Speech:
        """The sound."""
        return read_audio(self.path(clip, SPEECH))

    def track(self, clip: ClipRecord) -> Track:
        """The tracker's points in pixels of the source, for clips with pictures."""
        tensors = load_tensors(self.path(clip, TRACK))
        width, height = tensors["size"].tolist()
        return Track(tensors["points"], tensors["scores"], tensors["valid"].bool(), (width, height), Fraction(FPS))

    def verify(self) -> list[str]:
        """Names of files that are missing or differ from their checksum."""
        entries = [entry for clip in self.clips for entry in clip.files.values()]
        return [e.path for e in entries if not _is_whole(self.folder / e.path, e)]


def file_entry(folder: Path, path: Path) -> FileEntry:
    """The entry of ``path`` in the corpus ``folder``."""
    data = path.read_bytes()
    return FileEntry(path=path.relative_to(folder).as_posix(), sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def read_info(folder: Path) -> CorpusInfo:
    """Read ``corpus.json``.

    Raises:
        ConfigError: no corpus there.
        CheckpointError: damaged, or of another version.
    """
    path = Path(folder) / CORPUS_FILE
    if not path.is_file():
        raise ConfigError(
            f"{folder} is no corpus: it has no {CORPUS_FILE}; make one with: declaim prepare FOLDER -o {folder}"
        )
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        version = saved.get("format_version")
        if version != CORPUS_VERSION:
            raise CheckpointError(
                f"{folder} is a corpus of version {version}, this declaim reads {CORPUS_VERSION}; prepare it anew"
            )
        return CorpusInfo.model_validate(saved)
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def write_info(folder: Path, info: CorpusInfo) -> None:
    """Write ``corpus.json``."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with atomic_file(Path(folder) / CORPUS_FILE) as partial:
        partial.write_text(info.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_lines(path: Path, kind: type[Row]) -> list[Row]:
    """Read JSON lines; a missing file has none.

    Raises:
        CheckpointError: a line is damaged.
    """
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise CheckpointError(f"{path}, line {number} is damaged: {error.errors()[0]['msg']}") from error
    return found


def write_lines(path: Path, rows: Iterable[_Strict]) -> None:
    """Write JSON lines, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")


def _is_whole(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
