# make demo   set everything up and split the demo clip into layers
# make test   set everything up and run linter, type checker and tests
#
# Both need only Python 3.11 or newer, make, and a package index. A second call is quick: what is installed is
# recorded in .venv under a name that changes with pyproject.toml and constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HASH := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
DEMO := examples/demo

.PHONY: demo test clean

demo: $(VENV)/.installed-$(HASH)
	$(BIN)/lamina decompose $(DEMO)/input.mp4 --mask robot=$(DEMO)/masks/robot --mask ball=$(DEMO)/masks/ball -o out/demo
	@echo "The contact sheet is out/demo/sheet.png"

test: $(VENV)/.installed-dev-$(HASH)
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -q

$(VENV)/.installed-$(HASH): | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev-$(HASH): | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev,models,render]'
	@touch $@ $(VENV)/.installed-$(HASH)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lamina needs Python 3.11 or newer. Say which one to use: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) out .pytest_cache .ruff_cache .hypothesis
