# Groundswell. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_OPTIONS ?=
WORKERS ?= 2
DEMO ?= 1

.PHONY: help up install install-dev test test-unit test-browser test-servers test-slow lint format bench docs clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

up: install ## Run Groundswell on http://localhost:8501 (DEMO=0 leaves the demo brand out).
	@$(BIN)/groundswell up $(if $(filter 0,$(DEMO)),--no-demo,--demo)

install: .install-stamp ## Make the virtual environment and install what running needs.

install-dev: .install-stamp-dev ## Install also what the tests and checks need.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Groundswell needs Python 3.11 or newer; this is %d.%d. Say which one with: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 1; }

.install-stamp: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --constraint constraints.txt --editable .
	@touch $@

.install-stamp-dev: .install-stamp
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --constraint constraints.txt --editable '.[dev]'
	@touch $@

test: install-dev ## Install what the tests need, then run them, a real browser included.
	@bash tests/install-system.sh
	$(MAKE) --no-print-directory test-unit
	$(MAKE) --no-print-directory test-browser

test-unit: install-dev
	$(BIN)/python -m pytest -n $(WORKERS) -m "not browser and not servers and not slow" --cov --cov-report=term:skip-covered --durations=25

test-browser: install-dev
	$(BIN)/python -m pytest -m "browser and not servers and not slow"

test-servers: install-dev ## Install and start real Bluesky, Dovecot and Postfix servers and test against them.
	@bash tests/install-system.sh
	@bash tests/servers/install.sh
	$(BIN)/python -m pytest -m "servers and not slow"

test-slow: install-dev ## The crash test: workers killed at random moments, on both databases.
	@bash tests/install-system.sh
	@bash tests/servers/install.sh
	$(BIN)/python -m pytest -m slow --timeout=1800

lint: install-dev ## Format, lint and type checks.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install-dev ## Format the code and mend what can be mended by itself.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install-dev ## Print the figures of all benchmarks.
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: install-dev ## Write the generated parts of docs/ again (settings and commands).
	$(BIN)/python docs/generate.py

clean: ## Remove the virtual environment and everything that was generated; data/ stays.
	rm -rf $(VENV) .install-stamp .install-stamp-dev .servers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage* .test-artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
