"""What every report shares: where it was made, with which weights, as JSON and as a Markdown table."""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from declaim.errors import DeclaimError
from declaim.pretrained import atomic_file

PACKAGES = ("declaim", "torch", "numpy", "scipy", "mediapipe", "opencv-contrib-python", "numba", "av", "transformers")


@dataclass(frozen=True)
class Figure:
    """One measured number beside its target.

    Attributes:
        name: what was measured.
        value: the number; None if it could not be measured.
        low: least acceptable value.
        high: greatest acceptable value.
        beside: what to compare it with (the truth's own value, the floor).
    """

    name: str
    value: float | None
    low: float = float("-inf")
    high: float = float("inf")
    beside: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.low <= self.value <= self.high

    @property
    def target(self) -> str:
        if self.low > float("-inf") and self.high < float("inf"):
            return f"{self.low:g} to {self.high:g}"
        if self.low > float("-inf"):
            return f">= {self.low:g}"
        return f"<= {self.high:g}" if self.high < float("inf") else ""


def figures_table(figures: Iterable[Figure]) -> str:
    rows = []
    for f in figures:
        mark = "" if not f.target or f.met is None else "yes" if f.met else "NO"
        rows.append((f.name, "-" if f.value is None else f"{f.value:.3g}", f.target, mark, f.beside))
    return markdown(("figure", "value", "target", "met", "beside"), rows)


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [list(map(str, header)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    texts = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([texts[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *texts[1:]])


def provenance(folders: dict[str, Path] | None = None) -> dict[str, Any]:
    """Versions, machine, command line and the SHA-256 of the weights in ``folders``."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([f"python -m {_module()}", *sys.argv[1:]]),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: _version(name) for name in PACKAGES},
        "weights": {name: weight_hashes(folder) for name, folder in (folders or {}).items()},
    }


def weight_hashes(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("*.safetensors"))}


def write_report(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(report, indent=1, default=_plain) + "\n", encoding="utf-8")


def figures_as_json(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in asdict(f).items() if v not in (float("-inf"), float("inf"))} | {"met": f.met} for f in figures
    ]


def run(main: Callable[[], int]) -> None:
    """Run a benchmark's command: bad input is one sentence, not a trace."""
    try:
        sys.exit(main())
    except DeclaimError as error:
        sys.exit(f"error: {error}")


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _module() -> str:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else "benchmarks"
