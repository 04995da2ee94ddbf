# The commands of this project. Everything lives in .venv; nothing is installed outside this folder.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

UV_VERSION := 0.13.9
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
           --no-annotate --no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help run install dev test soak lint format bench lock clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 10

run: install  ## install halext with its web page and the built-in model, and start it
	@$(BIN)/halext up $(ARGS)

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "halext needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

# First what is pinned, by hash and without resolving anything; then halext itself without dependencies.
$(VENV)/.installed: requirements.lock pyproject.toml $(VENV)/.uv
	@echo "installing halext into $(VENV)"
	@$(INSTALL) --no-deps --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing the development tools into $(VENV)"
	@$(INSTALL) --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

test: dev  ## run every test (real PostgreSQL, Valkey and llama.cpp come from packages)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

soak: dev  ## the same checks for longer: more generated cases, more requests, more kills
	@TEST_SOAK=1 $(BIN)/python -m pytest -n 2 --dist loadfile --timeout 1800 tests/contracts tests/journeys \
		tests/halext/dialects tests/halext/routing tests/halext/nodes tests/halext/gateway tests/halext/alerts \
		tests/halext/jobs tests/halext/vault tests/bots $(ARGS)

lint: dev  ## format check, ruff, mypy --strict, the import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: dev  ## put the code into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: dev  ## print import, start and memory figures
	@$(BIN)/python -m benchmarks.footprint $(ARGS)

lock: $(VENV)/.uv  ## resolve the pinned requirements anew (for Linux, macOS and Windows)
	@$(COMPILE) --upgrade --extra all --group model -o requirements.lock
	@$(COMPILE) --upgrade --extra dev --group model -c requirements.lock -o requirements-dev.lock

clean:  ## remove the virtual environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
