# nextgen: every command a person needs. `make` alone lists them.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 1
# The CPU build of torch; with a GPU: make install CONSTRAINTS=/dev/null
CONSTRAINTS ?= constraints.txt
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Processes that share the tests out (tests/conftest.py says how); a bare `pytest FILE` runs in one and can be debugged.
# Three keep two cores busy: a screen or a daemon that a test waits for needs little of one.
WORKERS ?= 3
# Faults keep their core busy by themselves.
CORES ?= 2

.DEFAULT_GOAL := help
.PHONY: help install run test slow torture check format bench docs clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/nextgen: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "installing (a few minutes the first time)"
	@# torch first: from what is configured, else from its own index of CPU builds; never gigabytes of GPU libraries unasked.
	@$(PIP) -c $(CONSTRAINTS) --no-deps torch 2>/dev/null \
	  || $(PIP) -c $(CONSTRAINTS) --no-deps --index-url $(TORCH_INDEX) torch \
	  || { echo "no CPU build of torch is at hand: give TORCH_INDEX=URL, or take the GPU build with CONSTRAINTS=/dev/null"; exit 1; }
	@$(PIP) -c $(CONSTRAINTS) -e ".[dev]"
	@touch $@

install: $(BIN)/nextgen ## make .venv with nextgen and nextgen-daemon in it

run: install ## run the demo on the embedded market, then open the console
	$(BIN)/nextgen demo
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/nextgen console; else echo "no terminal: open the console later with $(BIN)/nextgen console"; fi

test: install ## run the tests (a few minutes)
	$(BIN)/python -m pytest -n $(WORKERS)

slow: install ## run the bigger versions, and the statistics of whole simulated histories
	$(BIN)/python -m pytest -m slow

torture: install ## run the programme of faults (docs/torture.md; some hours)
	TORTURE_PROCESSES=$(CORES) $(BIN)/python -m pytest -m torture --hypothesis-profile=default -o log_cli=true --log-cli-level=INFO

check: install ## format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(WORKERS)

format: install ## put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install ## write the generated pages (table reference, commands)
	$(BIN)/python -m docs.generate

bench: install ## measure seconds per session (`python -m benchmarks` lists the others)
	$(BIN)/python -m benchmarks.replay

clean: ## remove what was built here (never a lake)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
