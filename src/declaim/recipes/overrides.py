"""Settings from the command line: ``train.steps=100`` into a tree of pydantic models, checked and typed."""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from declaim.errors import ConfigError

Tree = TypeVar("Tree", bound=BaseModel)


def overridden(settings: Tree, assignments: Sequence[str]) -> Tree:
    """``settings`` with some values replaced.

    Args:
        settings: a tree of models.
        assignments: ``"section.name=value"`` each; lists as JSON or with commas, ``null`` for None.

    Raises:
        ConfigError: not an assignment, an unknown name, a value of the wrong kind or out of range.
    """
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set {assignment!r} is no setting; expected name=value, as in --set train.steps=100")
        settings = _replaced(settings, key.strip(), value.strip())
    return settings


def _replaced(settings: Tree, key: str, text: str) -> Tree:
    node: Any = settings
    for part in key.split("."):
        if not isinstance(node, BaseModel) or part not in type(node).model_fields:
            raise _unknown(settings, key)
        node = getattr(node, part)
    if isinstance(node, BaseModel):
        raise ConfigError(f"{key} is a section; set one of: {', '.join(f'{key}.{n}' for n in _names(node))}")
    reason = ""
    for candidate in _readings(text):
        values = settings.model_dump()
        branch = values
        *sections, name = key.split(".")
        for section in sections:
            branch = branch[section]
        branch[name] = candidate
        try:
            return type(settings).model_validate(values)
        except ValidationError as error:
            reason = reason or error.errors()[0]["msg"]
    raise ConfigError(f"{key} cannot be {text!r}: {reason[0].lower()}{reason[1:]} (now {shown(node)})")


def _readings(text: str) -> Iterator[Any]:
    """What a text may mean, the plainest first."""
    if text in ("null", "none", "None"):
        yield None
    yield text
    try:
        yield json.loads(text)
    except ValueError:
        yield [part.strip() for part in text.split(",") if part.strip()]


def _unknown(settings: BaseModel, key: str) -> ConfigError:
    known = [name for name, _ in flattened(settings)]
    section, _, last = key.rpartition(".")
    close = difflib.get_close_matches(key, known, 2, 0.6)
    close += [name for name in known if name.rpartition(".")[2] == last and name not in close]
    meant = f"; did you mean {' or '.join(close)}?" if close else ";"
    listed = [name for name in known if section and name.startswith(section + ".")] or known
    return ConfigError(f"there is no setting {key}{meant} known are: {', '.join(listed)}")


def _names(node: BaseModel) -> list[str]:
    return list(type(node).model_fields)


def shown(value: Any) -> str:
    """A setting's value as ``--set`` takes it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def flattened(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of a tree with its full name: ``("train.steps", 800)``."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def described(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Every setting with its value and its help text."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from described(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, " ".join((field.description or "").split())
