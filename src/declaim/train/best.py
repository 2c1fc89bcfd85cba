"""The best weights so far, by a figure of the validation."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from declaim.errors import ConfigError
from declaim.pretrained import atomic_folder, load_into, load_tensors, read_config, save_tensors, write_config

PREFIX, KIND = "best-", "best-weights"
_WEIGHTS = "average.safetensors"


class Best:
    """Keeps RUN/best-STEP, a better one beside it before the old one goes.

    A run that goes on from before its best validation repeats it to the bit, so what lies there stays right.

    Args:
        run: the run's folder.
        by: name of the figure; with a minus in front, smaller is better.
    """

    def __init__(self, run: Path, by: str) -> None:
        self.run, self.name, self.sign = run, by.removeprefix("-"), -1.0 if by.startswith("-") else 1.0

    @property
    def folder(self) -> Path | None:
        """Where the best weights so far are; None before the first validation."""
        return max(self.run.glob(PREFIX + "*"), default=None)

    def offer(self, step: int, figures: Mapping[str, float], module: nn.Module) -> None:
        """Keep ``module`` if its figures are the best.

        Raises:
            ConfigError: there is no such figure.
        """
        if self.name not in figures:
            known = ", ".join(sorted(figures)) or "none: nothing is held out for validation"
            raise ConfigError(
                f"train.best_by={json.dumps(self.name)} is no figure of this recipe; its figures: {known}"
            )
        before = self.folder
        if before and self.sign * figures[self.name] <= self.sign * read_config(before, KIND)["figures"][self.name]:
            return
        with atomic_folder(self.run / f"{PREFIX}{step:07d}") as partial:
            write_config(partial, {"kind": KIND, "step": step, "figures": dict(figures)})
            save_tensors(partial / _WEIGHTS, module.state_dict())
        if before:
            shutil.rmtree(before)

    def load(self, folder: Path, module: nn.Module) -> tuple[int, dict[str, float]]:
        """Put the best weights into ``module``; their step and figures."""
        saved = read_config(folder, KIND)
        load_into(module, load_tensors(folder / _WEIGHTS), folder)
        return int(saved["step"]), dict(saved["figures"])
