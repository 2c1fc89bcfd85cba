"""All benchmarks, one after the other, with a summary: ``python -m benchmarks [-o FOLDER] [--only NAME ...]``."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.report import markdown
from declaim.errors import DeclaimError

BENCHMARKS = ("end_to_end", "motion", "renderer", "tracking", "prepare", "train_step")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("out/benchmarks"), help="folder of the reports")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS)
    chosen = parser.parse_args(arguments)
    outcomes = [(name, _run(name, chosen.output / f"{name}.json")) for name in chosen.only]
    rows = []
    for name, outcome in outcomes:
        report = chosen.output / f"{name}.json"
        figures = json.loads(report.read_text(encoding="utf-8")).get("figures", []) if report.is_file() else []
        met = [f["met"] for f in figures if isinstance(f, dict) and ("low" in f or "high" in f)]
        rows.append((name, outcome, f"{sum(m is True for m in met)} of {len(met)}" if met else "-", report))
    print("\n" + markdown(("benchmark", "outcome", "targets met", "report"), rows))
    return 0 if all(outcome == "done" for _, outcome in outcomes) else 1


def _run(name: str, report: Path) -> str:
    print(f"\n== {name}\n", flush=True)
    try:
        module = importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        return f"left out: {error}"
    report.parent.mkdir(parents=True, exist_ok=True)
    try:
        code = module.main(["-o", str(report)])
    except (DeclaimError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return "failed"
    return "done" if not code else "targets missed"


if __name__ == "__main__":
    sys.exit(main())
