"""Which methods make a motion, as users name them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from declaim.assets import shipped
from declaim.errors import AssetError, ConfigError
from declaim.face.model import FaceModel
from declaim.motion.mixed import MixedMethod
from declaim.registry import METHODS, resolve


@dataclass(frozen=True)
class Role:
    """A method's registered name, its folder of weights (None: those that ship with declaim), and how to give one."""

    method: str
    weights: Path | None = None
    option: str = field(default="--weights FOLDER", compare=False)

    def load(self) -> Any:
        """The method with its weights.

        Raises:
            ConfigError: declaim ships no weights of it, and none were given.
            CheckpointError: the weights do not fit.
        """
        kind = resolve(METHODS, self.method, kind="method")
        if self.weights is None:
            shipped_weights(self.method, self.option)
        return kind.from_pretrained(self.weights)


@dataclass(frozen=True)
class Cast:
    """Who makes the lips, and who the head and the rest of the face."""

    lips: Role
    head: Role

    @classmethod
    def named(
        cls, method: str, weights: str | Path | None = None, *, lips: str | None = None, head: str | None = None
    ) -> "Cast":
        """The cast that some options name.

        Args:
            method: makes what ``lips`` and ``head`` leave.
            weights: of ``method``.
            lips: ``METHOD`` or ``METHOD=FOLDER``; a name alone that is ``method`` has its weights.
            head: the same.

        Raises:
            ConfigError: unknown method, ``=`` without a folder, or weights that nobody uses.
        """
        default = Role(method, None if weights is None else Path(weights))
        chosen = [default if text is None else _role(text, default, option)
                  for option, text in (("lips", lips), ("head", head))]  # fmt: skip
        for role in (default, *chosen):
            resolve(METHODS, role.method, kind="method")
        if weights is not None and default not in chosen:
            raise ConfigError(
                f"--weights {weights} are of {method!r}, which makes neither lips nor head here; "
                "write --lips METHOD=FOLDER or --head METHOD=FOLDER"
            )
        return cls(*chosen)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The different ones."""
        return (self.lips,) if self.lips == self.head else (self.lips, self.head)

    def load(self) -> Any:
        """The method, or both as one; see `Role.load`."""
        loaded = [role.load() for role in self.roles]
        return loaded[0] if len(loaded) == 1 else MixedMethod(loaded[0], loaded[1], FaceModel.from_pretrained())


def shipped_weights(method: str, option: str) -> Path:
    """Folder of a method's weights that ship with declaim.

    Args:
        method: registered name.
        option: with which a user gives others.

    Raises:
        ConfigError: there are none.
    """
    try:
        return shipped(method)
    except AssetError as error:
        raise ConfigError(
            f"declaim ships no weights of {method!r}; give yours with {option} "
            f"(made by: declaim train {method} --corpus CORPUS -o RUN, in RUN/weights)"
        ) from error


def _role(text: str, default: Role, option: str) -> Role:
    name, equals, folder = text.partition("=")
    if equals and not folder:
        raise ConfigError(f"--{option} is {text!r}; expected METHOD or METHOD=FOLDER")
    if not folder:
        return default if name == default.method else Role(name, None, f"--{option} {name}=FOLDER")
    return Role(name, Path(folder))
