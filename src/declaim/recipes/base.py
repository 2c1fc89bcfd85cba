"""What ``declaim train`` runs: recipes, their settings, and the two kinds of work they give.

    recipe.presets["default"] -> settings -> recipe.task(corpus, settings) -> Task  trained step by step
                                                                           -> Fit   solved in one go

A recipe is an object registered in `declaim.registry.RECIPES` or under the entry-point group ``declaim.recipes``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from declaim.data.corpus import ClipRecord, Corpus
from declaim.train.config import TrainConfig
from declaim.train.task import Task
from declaim.types import OnStep

__all__ = ["Fit", "Recipe", "Section", "Settings", "Task"]


class Section(BaseModel):
    """Settings that belong together; a field's docstring is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Settings(Section):
    """All settings of a recipe: ``train`` and the recipe's own sections, as further fields of a subclass."""

    train: TrainConfig = TrainConfig()
    """How long and how fast to learn."""


@runtime_checkable
class Fit(Protocol):
    """Work without steps: solved in closed form."""

    clips: Sequence[ClipRecord]
    """The clips it learns from, for the model card."""

    def fit(self, on_step: OnStep | None = None) -> None:
        """Solve it."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures on clips that the fit did not see; empty if there are none."""
        ...

    def save(self, folder: Path, card: str) -> None:
        """Write a folder that ``from_pretrained`` reads; ``card`` (Markdown) says how it was made."""
        ...


@runtime_checkable
class Recipe(Protocol):
    """One trainable part of the project.

    Attributes:
        name: as registered.
        presets: settings by name; ``"default"`` makes what ships, ``"tiny"`` runs in seconds.
    """

    @property
    def name(self) -> str:
        """As registered."""
        ...

    @property
    def presets(self) -> Mapping[str, Any]:
        """Settings (a subclass of `Settings`) by name: ``"default"``, ``"tiny"``, perhaps ``"paper"``."""
        ...

    def task(self, corpus: Corpus, settings: Any, on_step: OnStep | None = None) -> Task | Fit:
        """The work on a corpus.

        Args:
            corpus: what to learn from.
            settings: one of the presets, perhaps with some settings changed.
            on_step: progress of reading the corpus: (clips done, clips in all).
        """
        ...
