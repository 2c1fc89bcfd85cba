# Everything sets itself up: a virtual environment in .venv, then the work. Needs Python 3.11 or newer, with venv.
SUITS := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUITS)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check bench docs clean

demo: .venv/run.stamp
	$(BIN)/declaim demo -o out/demo.mp4

test: .venv/dev.stamp
	$(BIN)/declaim assets pull --quiet
	-@$(BIN)/declaim assets pull --quiet mobilefacenet
	$(BIN)/python -m pytest

check: .venv/dev.stamp
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

bench: .venv/dev.stamp
	$(BIN)/python -m benchmarks

docs: .venv/dev.stamp
	$(BIN)/mkdocs serve

.venv/run.stamp: pyproject.toml constraints.txt
	@test -n '$(PYTHON)' && $(PYTHON) -c '$(SUITS)' || { echo 'declaim needs Python 3.11 or newer with its venv module' \
	'(Debian, Ubuntu: apt-get install python3-venv); found $(or $(shell python3 --version 2>&1),no python3)'; exit 1; }
	@echo 'setting up .venv (once)' && $(PYTHON) -m venv .venv
	@$(INSTALL) -e . && { $(BIN)/declaim doctor --quiet || true; } && touch $@

.venv/dev.stamp: .venv/run.stamp
	@$(INSTALL) -e '.[dev]' && touch $@

clean:
	rm -rf .venv out site
