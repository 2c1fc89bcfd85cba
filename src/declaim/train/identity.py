"""What a run's folder belongs to: ``run.json`` names every setting, and a run with others is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from declaim.errors import CheckpointError, ConfigError
from declaim.pretrained import atomic_file, write_error

RUN_FILE = "run.json"
FREE = {"train.save_every", "train.checkpoints", "train.device"}
"""Settings that may change when a run goes on: they do not touch its weights beyond rounding."""
Resume = Literal["auto", "never", "force"]


def claim_folder(run: Path, identity: Mapping[str, Any], resume: Resume = "auto", *, write: bool = True) -> None:
    """Make a folder this run's own, or see that it is. A run that made nothing yet may become another one.

    Args:
        run: the folder; made if it is not there.
        identity: everything that the weights depend on, as JSON values by name.
        resume: ``auto`` goes on with a run of the same identity, ``force`` with any, ``never`` with none.
        write: False in all processes but one.

    Raises:
        ConfigError: the folder holds another run or something else.
        CheckpointError: ``run.json`` is damaged.
    """
    path = run / RUN_FILE
    holds_more = run.is_dir() and any(entry != path for entry in run.iterdir())
    if holds_more and path.is_file():
        if resume == "never":
            raise ConfigError(f"{run} holds a run already; choose another folder, or go on with --resume auto")
        differences = _differences(_read(path), json.loads(json.dumps(dict(identity))))
        if differences and resume == "auto":
            raise ConfigError(
                f"{run} holds a run with {' and '.join(differences)}; choose another folder, or go on all the same "
                "with --resume force"
            )
    elif holds_more and write:
        raise ConfigError(f"{run} is not empty and holds no run; choose another folder")
    if write:
        try:
            run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(run, error) from error
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(dict(identity), indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = [n for n in {**before, **now} if n not in FREE and before.get(n) != now.get(n)]
    shown = [f"{n}={json.dumps(before.get(n))} (now {json.dumps(now.get(n))})" for n in names[:3]]
    return [*shown, f"{len(names) - 3} other settings"] if len(names) > 3 else shown
