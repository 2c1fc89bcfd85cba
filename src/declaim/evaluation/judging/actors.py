"""Who plays in an evaluation: the methods under test, with their weights' hashes, and the rows of the table."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from declaim.errors import ConfigError
from declaim.motion.casting import shipped_weights
from declaim.motion.hearing import Hearing
from declaim.registry import METHODS, resolve
from declaim.types import Motion, Speech

PEOPLE, STRANGERS, MEAN_FACE, STILL = "people", "people-other-speech", "mean-face", "held-still"
"""Rows that every table has."""
REDRAWN = "redrawn"
"""Row of the renderer alone: pictures drawn from tracked motion."""
OTHER_SPEECH = "-other-speech"
"""Ending of the rows in which a method was given another clip's speech."""

TITLES = {
    PEOPLE: "real people",
    STRANGERS: "real people, another's speech",
    MEAN_FACE: "mean face",
    STILL: "portrait held still",
}
MEANING = {
    PEOPLE: "The tracked footage judged by itself.",
    STRANGERS: "The tracked motion of clips of other speakers: the floor of every metric that compares with the truth.",
    MEAN_FACE: "The face model's mean face with a head at rest: zero expression, zero pose, in every frame.",
    STILL: "The first frame of the clip, held: what a photograph does.",
}

Kind = Literal["people", "floor", "renderer", "method"]


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        key: short name, in JSON.
        title: in tables.
        kind: real people, a floor, a renderer driven by people's motion, or a method.
        meaning: one sentence.
    """

    key: str
    title: str
    kind: Kind
    meaning: str


class Actor:
    """A method under test.

    Args:
        name: its row's key and title.
        registered: the method's registered name.
        folder: its weights; those that ship with declaim if None.

    Raises:
        ConfigError: no such method, or no weights for it.
        CheckpointError: the weights do not fit.
    """

    def __init__(self, name: str, registered: str, folder: Path | None = None) -> None:
        kind = resolve(METHODS, registered, kind="method")
        if folder is None:
            folder = shipped_weights(registered, f"--weights {registered}=FOLDER")
        self.folder = Path(folder)
        self.name, self.registered = name, registered
        self.method: Any = kind.from_pretrained(self.folder)
        self.hashes = weight_hashes(self.folder)
        self._hearing = Hearing()

    def generate(self, speech: Speech, seed: int) -> Motion:
        """A take; what the encoder makes of the speech is kept for the next one."""
        return self._hearing.generate(self.method, speech, seed=seed)

    def borders(self, frames: int) -> list[int]:
        """First frames of the windows in which a clip is generated, but the first window's."""
        new = getattr(getattr(self.method, "config", None), "new", None)
        return [] if not isinstance(new, int) or new < 1 else list(range(new, frames, new))

    @property
    def rows(self) -> tuple[Row, Row]:
        """The method's row, and the one with another clip's speech."""
        return (
            Row(self.name, self.name, "method", f"{self.registered}, given the clip's speech."),
            Row(self.name + OTHER_SPEECH, f"{self.name}, another's speech", "floor",
                f"{self.registered}, given the speech of clips of other speakers: its floor."),
        )  # fmt: skip


def standing_rows() -> list[Row]:
    """The rows that need no method."""
    kinds: tuple[Kind, ...] = ("people", "floor", "floor", "floor")
    return [Row(key, TITLES[key], kind, MEANING[key]) for key, kind in zip(TITLES, kinds, strict=True)]


def renderer_row(name: str) -> Row:
    """The row of a renderer driven by the clips' own motion."""
    meaning = f"The {name} renderer, given the clip's first frame and its tracked motion: re-enactment."
    return Row(REDRAWN, f"{name}, tracked motion", "renderer", meaning)


def mean_face(like: Motion) -> Motion:
    """The mean face at rest, as long as another motion."""
    return Motion(torch.zeros_like(like.values), like.layout, like.fps)


def held_still(like: Motion) -> Motion:
    """A motion's first frame, held."""
    return Motion(like.values[:1].expand_as(like.values).clone(), like.layout, like.fps)


def weight_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the weights and settings in a folder."""
    files = [p for p in sorted(folder.iterdir()) if p.suffix in (".safetensors", ".json")] if folder.is_dir() else []
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def chosen_actors(methods: list[str], weights: list[str]) -> list[Actor]:
    """The actors that the command line names.

    Args:
        methods: registered names.
        weights: ``method=FOLDER``; several for one method make several rows. ``method=shipped`` for declaim's own.

    Raises:
        ConfigError: weights of a method that is not evaluated, or badly written; see also `Actor`.
    """
    given: dict[str, list[str]] = {name: [] for name in methods}
    for text in weights:
        name, _, folder = text.partition("=")
        if not folder:
            raise ConfigError(f"--weights {text!r} is not of the form METHOD=FOLDER")
        if name not in given:
            raise ConfigError(f"--weights names {name!r}, which is not evaluated; add --method {name}")
        given[name].append(folder)
    actors = []
    for name, folders in given.items():
        for folder in folders or ["shipped"]:
            own = None if folder == "shipped" else Path(folder)
            title = name if len(folders) < 2 else f"{name} ({'shipped' if own is None else own.resolve().name})"
            actors.append(Actor(title, name, own))
    names = [actor.name for actor in actors]
    if len(set(names)) != len(names):
        raise ConfigError("two folders of weights have one name; rename one, it is the title of its row")
    return actors
