"""Writes the tables of settings in docs/training.md from the recipes' own settings and their docstrings.

``--check`` changes nothing and fails if the page is stale.
"""

import argparse
import sys
from pathlib import Path

from declaim.recipes.overrides import described, shown
from declaim.registry import RECIPES, resolve
from declaim.train.config import TrainConfig

PAGE = Path(__file__).parent / "training.md"
BEGIN, END = "<!-- settings: made by docs/make_training.py -->", "<!-- end of settings -->"


def tables() -> str:
    """All tables, ``train`` first."""
    lines: list[str] = []
    common = {key: value for key, value, _ in described(TrainConfig(), "train.")}
    lines += ["### train", "", "Of every recipe that learns in steps.", ""]
    lines += _table(list(described(TrainConfig(), "train.")))
    for name in sorted(RECIPES, key=lambda n: (n != "fd2talk", n)):
        recipe = resolve(RECIPES, name, kind="recipe")
        rows = list(described(recipe.presets["default"]))
        own = [row for row in rows if not row[0].startswith("train.")]
        differing = [f"`{key}={shown(value)}`" for key, value, _ in rows if value != common.get(key, value)]
        lines += [f"### {name}", "", f"Presets: {', '.join(f'`{p}`' for p in recipe.presets)}."]
        lines += [f"Of `train`: {', '.join(differing)}.", ""] if differing else [""]
        lines += _table(own)
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: list[tuple[str, object, str]]) -> list[str]:
    cells = [f"| `{key}` | {_code(value)} | {meaning} |".replace("``", "`") for key, value, meaning in rows]
    return ["| setting | value | meaning |", "|---|---|---|", *cells, ""]


def _code(value: object) -> str:
    return "empty" if value == "" else f"`{shown(value)}`"


def page() -> str:
    """The page with its tables brought up to date."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if stale")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/training.md is stale: run python docs/make_training.py")


if __name__ == "__main__":
    main()
