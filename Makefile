.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS ?=
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile
MYPY_SAYS := $(VENV)/.mypy-says

# Run a command with mypy beside it, and print mypy's errors last; fail if either fails.
beside_mypy = $(BIN)/mypy > $(MYPY_SAYS) & mypy=$$!; $(1); tests=$$?; \
	wait $$mypy; types=$$?; cat $(MYPY_SAYS); exit $$((tests | types))

.PHONY: help run reproduce test test-all lint style docs bench report clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Train DROO online over 30,000 frames; figures go to results/ (options: ARGS="--seed 1")
	$(BIN)/python -m experiments.droo $(ARGS)

test: style ## Check style and types, and run the tests
	$(call beside_mypy,$(PYTEST) $(ARGS))

test-all: style $(VENV)/.installed-all ## Check style and types, and run all tests, including the slow ones
	$(call beside_mypy,$(PYTEST) -m "slow or not slow" $(ARGS))

lint: style ## Check style and types
	$(BIN)/mypy

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

reproduce: $(VENV)/.installed ## Run all studies (short runs: ARGS="--scale smoke")
	$(BIN)/python -m experiments.reproduce $(ARGS)

docs: $(VENV)/.installed-dev ## Build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)

bench: $(VENV)/.installed-dev ## Time a frame and its parts, each beside a baseline
	$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-columns=min,median,max,rounds \
		--override-ini addopts= $(ARGS)

report: $(VENV)/.installed-dev ## Measure the speed of everything and print a report (some sections: ARGS="floor latency")
	$(BIN)/python -m benchmarks.report $(ARGS)

clean: ## Delete the virtual environment, caches and build files, but not results/
	rm -rf $(VENV) build dist site *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "droo needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[dev]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-all: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[dev,ns3]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-dev
