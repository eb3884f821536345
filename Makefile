# Two commands are enough: `make train` and `make test`. Each sets up what it needs.
# PYTHON=python3.12 chooses the interpreter; PIP_ARGS is handed to pip, for example to take
# PyTorch's CPU wheels (see pytorch.org, "Start locally").

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3.14 python3,\
  $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(p))))
PIP_ARGS ?=
RECIPE ?= lenet-modern
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt $(PIP_ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup train check fix test docs notebooks bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: .venv/.dev ## make .venv with everything, tests included

train: .venv/.core ## train LeNet on the whole of Fashion-MNIST (RECIPE=lenet, ARGS="--epochs 3")
	@$(BIN)/convlens train $(RECIPE) $(ARGS)

check: .venv/.dev ## formatting, lint, types, the house's imports, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

fix: .venv/.dev ## format, and repair what lint can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: .venv/.dev ## all tests and doctests (ARGS="-k idx" for some)
	$(BIN)/python -m pytest $(ARGS)

docs: .venv/.core ## write the generated reference pages anew
	$(BIN)/python docs/generate.py

notebooks: .venv/.dev ## execute the notebooks and write their .ipynb (ARGS="7.2 7.5" for some)
	$(BIN)/python notebooks/sync.py $(ARGS)

bench: .venv/.bench ## measure this machine (sets up a second venv for the peers)
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove the virtual environments and caches
	rm -rf .venv .venv-peers .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.created:
	@test -n "$(PYTHON)" || { echo "ConvLens needs Python >= 3.11: install it, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "setting up .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.core: .venv/.created pyproject.toml constraints.txt
	@echo "installing ConvLens and PyTorch into .venv (once; PyTorch is large)"
	@$(PIP) -e .
	@touch $@

.venv/.dev: .venv/.core
	@echo "installing the tools for tests and checks into .venv (once)"
	@$(PIP) -e '.[dev,bench]'
	@touch $@

.venv/.bench: .venv/.core
	@echo "installing what the benchmarks compare with into .venv (once)"
	@$(PIP) -e '.[bench]'
	@touch $@
