"""Who plays in an evaluation: the methods under test, with their weights' hashes, and the rows of the table."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from declaim.assets import shipped
from declaim.data.corpus import MOTION, ClipRecord, Corpus
from declaim.data.styles import in_style, style_takers
from declaim.errors import ConfigError
from declaim.evaluation.protocol import EvaluationProtocol
from declaim.motion.casting import Cast, Role
from declaim.motion.hearing import Hearing
from declaim.motion.style import Style
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
    """A method under test, or two as one.

    Args:
        name: its row's key and title.
        described: the methods' registered names.
        cast: who makes lips and head, with which weights.

    Raises:
        ConfigError: no such method, or no weights for it.
        CheckpointError: the weights do not fit.
    """

    def __init__(self, name: str, described: str, cast: Cast) -> None:
        self.name, self.described = name, described
        self.method: Any = cast.load()
        folders = [shipped(role.method) if role.weights is None else role.weights for role in cast.roles]
        self.hashes = weight_hashes(folders[0])
        if len(folders) > 1:
            self.hashes = {f"{role}/{file}": sha for role, folder in zip(("lips", "head"), folders, strict=True)
                           for file, sha in weight_hashes(folder).items()}  # fmt: skip
        self._hearing = Hearing()

    def generate(self, speech: Speech, seed: int, clip: ClipRecord) -> Motion:
        """A take of a clip; what the encoder makes of the speech is kept for the next one."""
        return self._hearing.generate(self.method, speech, seed=seed)

    def depends(self, clip: ClipRecord) -> dict[str, Any]:
        """What a take of a clip depends on, beside its speech and seed."""
        return {"method": self.described, "weights": self.hashes, "style": None}

    @property
    def hears_silence(self) -> bool:
        """Whether it is also given readings with a silence between."""
        return True

    def seeds(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Those of some takes that it plays."""
        return wanted

    def borders(self, frames: int) -> list[int]:
        """First frames of the windows in which a clip is generated, but the first window's."""
        new = getattr(getattr(self.method, "config", None), "new", None)
        return [] if not isinstance(new, int) or new < 1 else list(range(new, frames, new))

    @property
    def rows(self) -> tuple[Row, ...]:
        """The method's row, and the one with another clip's speech."""
        return (
            Row(self.name, self.name, "method", f"{self.described}, given the clip's speech."),
            Row(self.name + OTHER_SPEECH, f"{self.name}, another's speech", "floor",
                f"{self.described}, given the speech of clips of other speakers: its floor."),
        )  # fmt: skip

    @property
    def shown(self) -> bool:
        """Whether it is drawn, in pictures and videos: floors are not."""
        return self.rows[0].kind == "method"


class Styled(Actor):
    """A method that takes styles, given every clip one: its speaker's own, from another clip of his; or a stranger's.

    Args:
        plain: the method without these styles.
        whose: ``"own"`` or ``"another's"``.
        sources: for every clip the one from which its style comes; None: it is played as ``plain`` plays it.
        corpus: where these clips are.
    """

    def __init__(
        self,
        plain: Actor,
        whose: Literal["own", "another's"],
        sources: Mapping[str, ClipRecord | None],
        corpus: Corpus,
    ) -> None:
        self.plain, self.whose, self.sources, self._corpus = plain, whose, sources, corpus
        self.name, self.described = f"{plain.name}, {whose} style", plain.described
        self.method, self.hashes, self._hearing = plain.method, plain.hashes, plain._hearing
        self._styles: dict[str, Style] = {}

    def generate(self, speech: Speech, seed: int, clip: ClipRecord) -> Motion:
        """A take of a clip in its style."""
        source = self.sources[clip.name]
        if source is None:
            return self.plain.generate(speech, seed, clip)
        return self._hearing.generate(in_style(self.method, self._style(source)), speech, seed=seed)

    def _style(self, source: ClipRecord) -> Style:
        if source.name not in self._styles:
            taker = style_takers(self.method)[0]
            self._styles[source.name] = taker.style_of(self._corpus.motion(source), source.name)
        return self._styles[source.name]

    def depends(self, clip: ClipRecord) -> dict[str, Any]:
        """See `Actor.depends`."""
        source = self.sources[clip.name]
        return self.plain.depends(clip) | {"style": None if source is None else source.files[MOTION].sha256}

    @property
    def hears_silence(self) -> bool:
        """Styles have no part in silence."""
        return False

    def seeds(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """All takes in own styles; one in strangers', which is enough to see that it matters whose style it is."""
        return wanted if self.whose == "own" else wanted[:1]

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row: a method's with its speakers' own styles, a floor with strangers'."""
        whose = {"own": "another clip of the same speaker", "another's": "a clip of another speaker"}[self.whose]
        kind: Kind = "method" if self.whose == "own" else "floor"
        return (Row(self.name, self.name, kind, f"{self.described}, in the style of {whose}{self._without()}."),)

    def _without(self) -> str:
        n = sum(source is None for source in self.sources.values())
        return f" ({n} of {len(self.sources)} clips without: no other clip of their speaker)" if n else ""


def with_styles(actors: Sequence[Actor], corpus: Corpus, protocol: EvaluationProtocol) -> list[Actor]:
    """The actors, and beside each that takes styles the same one in own and in strangers' styles."""
    known = {clip.name: clip for clip in corpus.clips}
    own = {name: known[s.own.name] if s.own else None for name, s in protocol.styles.items()}
    strangers = {name: known[s.stranger.name] if s.stranger else None for name, s in protocol.styles.items()}
    found: list[Actor] = []
    for actor in actors:
        found.append(actor)
        if style_takers(actor.method):
            found += [Styled(actor, "own", own, corpus), Styled(actor, "another's", strangers, corpus)]
    return found


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
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".safetensors", ".json"))
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def chosen_actors(methods: list[str], weights: list[str]) -> list[Actor]:
    """The actors that the command line names.

    Args:
        methods: registered names; ``lips=METHOD,head=METHOD`` for two methods in one face.
        weights: ``method=FOLDER``; several for one method make several rows. ``method=shipped`` for declaim's own.

    Raises:
        ConfigError: weights of a method that is not evaluated, or badly written; see also `Actor`.
    """
    mixtures = {text: _mixture(text) for text in methods if "=" in text}
    given: dict[str, list[str]] = {m: [] for text in methods for m in mixtures.get(text, [text])}
    for text in weights:
        name, _, folder = text.partition("=")
        if not folder:
            raise ConfigError(f"--weights {text!r} is not of the form METHOD=FOLDER")
        if name not in given:
            raise ConfigError(f"--weights names {name!r}, which is not evaluated; add --method {name}")
        given[name].append(folder)
    actors = []
    for text in methods:
        if text in mixtures:
            lips, head = (_role(m, _only(m, given[m])) for m in mixtures[text])
            actors.append(Actor(f"lips {lips.method}, head {head.method}", text, Cast(lips, head)))
            continue
        folders = given[text]
        for folder in folders or ["shipped"]:
            role = _role(text, folder)
            title = text if len(folders) < 2 else f"{text} ({role.weights.resolve().name if role.weights else folder})"
            actors.append(Actor(title, text, Cast(role, role)))
    names = [actor.name for actor in actors]
    if len(set(names)) != len(names):
        raise ConfigError("two folders of weights have one name; rename one, it is the title of its row")
    return actors


def _mixture(text: str) -> list[str]:
    """The methods of lips and head."""
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    if set(parts) != {"lips", "head"} or not all(parts.values()):
        raise ConfigError(f"--method {text!r} is neither a method nor of the form lips=METHOD,head=METHOD")
    return [parts["lips"], parts["head"]]


def _role(method: str, folder: str) -> Role:
    return Role(method, None if folder == "shipped" else Path(folder), f"--weights {method}=FOLDER")


def _only(method: str, folders: list[str]) -> str:
    if len(folders) > 1:
        raise ConfigError(f"--weights gives several folders of {method!r}; in a mixture it can have one")
    return folders[0] if folders else "shipped"
