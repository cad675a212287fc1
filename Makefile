PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: install explain test test-slow fuzz check docs

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable . --group dev
	touch $@

explain: install
	$(BIN)/readhead explain --workspace build/demo

test: install
	$(BIN)/python -m pytest

test-slow: install
	$(BIN)/python -m pytest -m slow

fuzz: install
	$(BIN)/python -m pytest -m fuzz

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: install
	$(BIN)/python -m readhead.vocabulary > docs/vocabulary.md
	$(BIN)/python tests/core/architectures.py > docs/architectures.md
	$(BIN)/python tests/core/escape_layers.py > docs/escapes.md
