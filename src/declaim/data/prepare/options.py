"""What a corpus is made from, and how."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

STAGES_VERSION = 1
"""Raised whenever a stage gives other files than before; what was prepared with another number is prepared anew."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrepareOptions(_Frozen):
    """What the clips of a corpus depend on."""

    encoder: str = "whisper-tiny.en"
    """Speech encoder, as registered."""
    tempos: tuple[float, ...] = (1.0,)
    """Tempos at which the speech is encoded; 1 is always among them."""
    tempo_clips: int = Field(40, ge=0)
    """Files of a speaker, the first by name, whose speech is encoded at other tempos too; those of split ``eval`` never
    are. Encoding costs as much as tracking in short clips, and a speaker of many files gains nothing."""
    pictures: bool = True
    """Whether to keep the square around the face and the tracker's points."""
    picture_px: int = Field(256, ge=64, le=1024, multiple_of=2)
    """Side of the square."""
    picture_face_px: float = Field(48.0, ge=0)
    """Faces lower than this get no picture."""
    shortest_s: float = Field(1.0, gt=0)
    """Shorter pieces are refused."""
    longest_s: float = Field(60.0, ge=2)
    """Longer pieces are cut into equal parts."""
    eval_share: float = Field(0.1, ge=0, le=1)
    """Share of the speakers that go to split ``eval`` where no labels say."""

    @field_validator("tempos")
    @classmethod
    def _ordered(cls, tempos: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0.5 <= tempo <= 2.0 for tempo in tempos):
            raise ValueError("expected tempos from 0.5 to 2")
        return tuple(sorted({1.0, *(round(tempo, 2) for tempo in tempos)}))

    def settings(self) -> dict[str, str | int | float | bool | list[float] | None]:
        """As kept in ``corpus.json``."""
        return {**self.model_dump(), "tempos": list(self.tempos), "stages": STAGES_VERSION}

    def stamp(self, source_sha256: str) -> str:
        """Changes with everything that the clips of a source depend on."""
        relevant = self.model_dump_json(exclude={"eval_share"})
        return hashlib.sha256(f"{STAGES_VERSION} {source_sha256} {relevant}".encode()).hexdigest()


class Source(_Frozen):
    """One file to prepare, and what is known about it."""

    path: Path
    """Where it is on this machine."""
    name: str
    """Relative to the folder that is prepared, with forward slashes."""
    base: str
    """What its clips are called."""
    speaker: str
    split: str
    language: str | None = None
    licence: str | None = None
    origin: str = ""
    """Where the footage was published."""
    other_tempos: bool = True
    """Whether its speech is encoded at other tempos than its own."""
