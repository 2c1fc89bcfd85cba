"""The README's and the documentation's results from a report: ``python -m benchmarks.readme_table report.json``.

Keeps the compact report in docs/results/, writes docs/results.md, and puts the table between the README's markers.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.report import run
from declaim.evaluation.markdown import full, with_table
from declaim.evaluation.report import compact
from declaim.pretrained import atomic_file

ROOT = Path(__file__).parents[1]
KEPT = Path("docs/results/shipped.json")
"""The compact report of the weights that ship with declaim."""
INTRODUCTION = """# Results

Measured with the weights that ship with declaim by `declaim evaluate`; made from `docs/results/shipped.json` by
`python -m benchmarks.readme_table`, never by hand. What the numbers mean and do not mean: [metrics](metrics.md).

"""


def results_page(report: dict[str, Any]) -> str:
    """docs/results.md."""
    return INTRODUCTION + full(report).partition("\n\n")[2]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme_table", description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, nargs="?", default=ROOT / KEPT, help="report.json of declaim evaluate")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    chosen = parser.parse_args(arguments)
    report = compact(json.loads(chosen.report.read_text(encoding="utf-8")))
    readme = chosen.root / "README.md"
    texts = {
        readme: with_table(readme.read_text(encoding="utf-8"), report),
        chosen.root / KEPT: json.dumps(report, ensure_ascii=False, separators=(",", ":")) + "\n",
        chosen.root / "docs" / "results.md": results_page(report),
    }
    (chosen.root / KEPT).parent.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        with atomic_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    run(main)
