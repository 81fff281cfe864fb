# nextgen: every command a person needs. `make` alone lists them.
VENV   := .venv
BIN    := $(VENV)/bin
# Any Python from 3.11 on that can make a virtual environment; the first of these that can is taken: make install PYTHON=...
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3 python
PYTHON ?= $(shell for one in $(PYTHONS); do \
  $$one -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$one; break; }; done)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Which build of torch: cpu, or default for the one of the package index, which brings gigabytes of GPU libraries on Linux.
TORCH  ?= cpu
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Processes that share the tests out (tests/conftest.py says how): one a core, four at most, since each builds what
# costly tests rest on. A bare `pytest FILE` runs in one and can be debugged.
WORKERS ?= auto
COMPILE = $(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate \
  --custom-compile-command 'make lock' -c constraints.txt --extra dask --extra dev --extra files --extra metrics --extra s3 --extra web --extra zero-shot pyproject.toml -o requirements.lock
# Python keeps what it compiled beside the source, whatever the environment says: every process that tests start needs it.
test check slow torture: export PYTHONDONTWRITEBYTECODE =
# Faults keep their core busy by themselves.
CORES ?= 2

.DEFAULT_GOAL := help
.PHONY: help install lock run test slow torture check format bench docs clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/nextgen: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with venv on the path (tried $(PYTHONS)); name one: make $(MAKECMDGOALS) PYTHON=/path/to/python"; exit 1; }
	@echo "installing with $$($(PYTHON) --version) ($$(command -v $(PYTHON))) into $(VENV); a few minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@# The lock names every other package with its version. torch comes first, from where a CPU build is at hand.
	@grep '^torch==' requirements.lock > $(VENV)/torch.txt
	@grep -v '^torch==' requirements.lock > $(VENV)/others.txt
	@if [ "$(TORCH)" = cpu ]; then \
	  $(PIP) --retries 1 --no-deps -r $(VENV)/torch.txt 2>/dev/null \
	  || $(PIP) --retries 1 --no-deps --index-url $(TORCH_INDEX) -r $(VENV)/torch.txt 2>/dev/null \
	  || { echo "no CPU build of torch for this Python is at hand: taking the default build, with its GPU libraries"; false; }; \
	else false; fi || $(PIP) $$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' $(VENV)/torch.txt | head -1)
	@$(PIP) --no-deps -r $(VENV)/others.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

install: $(BIN)/nextgen ## make .venv with nextgen, nextgen-daemon and the versions of requirements.lock

lock: ## renew requirements.lock: the newest versions that pyproject.toml and constraints.txt allow
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@# The CPU build of torch may lie in a folder that pip is told of; else it comes from its own index.
	$(COMPILE) $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS)) 2>/dev/null \
	  || $(COMPILE) --extra-index-url $(TORCH_INDEX) --index-strategy unsafe-best-match
	@rm -rf $(VENV)-lock

run: install ## run the demo on the simulated market, then open the console
	$(BIN)/nextgen demo
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/nextgen console; else echo "no terminal: open the console later with $(BIN)/nextgen console"; fi

test: install ## run the tests (a few minutes)
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4

slow: install ## run the larger tests, and the statistics of complete simulated histories
	$(BIN)/python -m pytest -m slow

torture: install ## run the tests with faults (docs/torture.md; some hours)
	TORTURE_PROCESSES=$(CORES) $(BIN)/python -m pytest -m torture --hypothesis-profile=default -o log_cli=true --log-cli-level=INFO

check: install ## format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4

format: install ## format the code and fix what lint can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install ## write the generated pages (tables, stages, commands)
	$(BIN)/python -m docs.generate

bench: install ## measure seconds per session (`python -m benchmarks` lists the others)
	$(BIN)/python -m benchmarks.replay

clean: ## delete what was built here (never a lake)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
