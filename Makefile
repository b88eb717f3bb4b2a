# One command from a bare machine to a running program: `make run`. All targets: `make help`.
.DEFAULT_GOAL := help
.PHONY: help install run dev test bench check format lock starter starter-eval clean

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
export HOST PORT

BIN := .venv/bin
TEST_ARGS ?=
BENCH_ARGS ?=
PYTEST := $(BIN)/python -m pytest --reruns 2 -r aR

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

install: ## make .venv, install the locked packages, compile llama.cpp for this processor (once)
	@$(PYTHON) scripts/setup.py

run: install ## install what is missing, then serve on HOST (127.0.0.1) and PORT (8000)
	@exec $(BIN)/python manage.py serve

dev: install ## the same, and reload when a file changes
	@exec $(BIN)/python manage.py serve --reload

test: install-dev check ## make check, then the whole test suite (TEST_ARGS= go to pytest)
	@# Two processes, then the browser tests with the machine to themselves. A test that fails on a busy machine is
	@# told and tried again; three times is a failure.
	$(if $(TEST_ARGS),$(PYTEST) $(TEST_ARGS),$(PYTEST) --numprocesses 2 --dist loadfile --ignore tests/e2e && $(PYTEST) tests/e2e)

.PHONY: install-dev
install-dev:
	@$(PYTHON) scripts/setup.py --dev

bench: install-dev ## measure Parley beside llama-server for an hour (bench/README.md; BENCH_ARGS= as --quick)
	@$(BIN)/python -m bench.llama_server $(BENCH_ARGS)

check: install-dev ## lint, formatting, types, layers, Django's own checks in production mode
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# The data folder of the checks: production mode makes a secret key, and yours stays untouched.
	PARLEY_HTTPS=1 PARLEY_HOSTS=chat.example PARLEY_DATA_DIR=.mypy_cache/check $(BIN)/python manage.py check --deploy --fail-level WARNING
	PARLEY_DATA_DIR=.mypy_cache/check $(BIN)/python manage.py makemigrations --check --dry-run

format: install-dev ## format the code and mend what can be mended by a tool
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# A universal lock: the same file serves Python 3.11 and newer on Linux and macOS.
LOCK := $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-annotate --no-header
lock: install-dev ## pin the newest fitting versions of all packages again
	$(LOCK) --upgrade pyproject.toml --output-file requirements.lock
	$(LOCK) --upgrade --extra dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock
	$(LOCK) --upgrade --group pyproject.toml:native --output-file requirements-build.lock

starter: install ## train the starter model again (hours; models/starter/README.md)
	$(MAKE) -C models/starter all

starter-eval: install ## measure the starter model
	$(MAKE) -C models/starter eval

clean: ## remove .venv and caches; var/ (your data) and models/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
