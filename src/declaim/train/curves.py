"""The course of a run: one JSON line per point, the same in TensorBoard, and a picture in the end.

RUN/curves.jsonl   {"step": 10, "loss/total": 1.9, "learning_rate": 0.0002, "gradient_norm": 0.7}
                   {"step": 200, "validation/mouth_correlation": 0.61}
RUN/tensorboard/   tensorboard --logdir RUN
RUN/curves.png     if matplotlib is installed
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from declaim.errors import ConfigError
from declaim.pretrained import atomic_file, write_error

CURVES_FILE, PICTURE_FILE, EVENTS_FOLDER = "curves.jsonl", "curves.png", "tensorboard"
LOSS, VALIDATION = "loss/", "validation/"
Point = dict[str, int | float]


class Curves:
    """Curves of a run that goes on after ``done`` steps; points of later steps, from before a crash, are dropped.

    Args:
        run: the run's folder.
        done: steps done.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, run: Path, done: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError("tensorboard is not installed; run: pip install 'declaim[train]'") from error
        self._path = run / CURVES_FILE
        try:
            run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(run, error) from error
        self.points = [point for point in read_points(self._path) if point["step"] <= done]
        with atomic_file(self._path) as partial:
            partial.write_text("".join(json.dumps(point) + "\n" for point in self.points), encoding="utf-8")
        self._writer: Any = SummaryWriter(str(run / EVENTS_FOLDER), purge_step=done + 1)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """A point of some curves.

        Raises:
            CapacityError: the disk is full.
        """
        self.points.append({"step": step, **values})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.points[-1]) + "\n")
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
        except OSError as error:
            raise write_error(self._path, error) from error

    def validation_at(self, step: int) -> dict[str, float] | None:
        """Figures of the validation after ``step`` steps, if there was one."""
        for point in reversed(self.points):
            figures = {n.removeprefix(VALIDATION): v for n, v in point.items() if n.startswith(VALIDATION)}
            if point["step"] == step and figures:
                return figures
        return None

    def close(self) -> None:
        """Finish TensorBoard's file; a full disk is no matter here, the JSON lines hold everything."""
        try:
            self._writer.close()
        except OSError:
            return


def draw_curves(run: Path) -> Path | None:
    """Write the picture of a run's curves; None without matplotlib, or without a point."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    series = _series(read_points(run / CURVES_FILE))
    losses = [name for name in series if name.startswith(LOSS)]
    panels = [losses, *([name] for name in series if name not in losses)] if losses else []
    if not panels:
        return None
    rows, columns = -(-len(panels) // 3), 3
    figure = Figure(figsize=(5 * columns, 3.4 * rows))  # a layout engine would take seconds
    for i, names in enumerate(panels):
        axes = figure.add_subplot(rows, columns, i + 1)
        for name in names:
            axes.plot(*zip(*series[name], strict=True), label=name.removeprefix(LOSS))
        axes.set_title("losses" if names is losses else names[0])
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if names is losses:
            axes.set_yscale("log")
            axes.legend(fontsize="x-small", loc="upper right")
    figure.subplots_adjust(0.05, 0.5 / (3.4 * rows), 0.99, 1 - 0.35 / (3.4 * rows), 0.2, 0.45)
    with atomic_file(run / PICTURE_FILE) as partial:
        figure.savefig(partial, format="png", dpi=100)
    return run / PICTURE_FILE


def read_points(path: Path) -> list[Point]:
    """The points of a file of curves; a last line that was cut off in a crash is left out."""
    if not path.is_file():
        return []
    points = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            points.append(json.loads(line))
        except ValueError:
            break
    return points


def _series(points: list[Point]) -> dict[str, list[tuple[float, float]]]:
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for point in points:
        for name, value in point.items():
            if name != "step":
                series[name].append((float(point["step"]), float(value)))
    return dict(series)
