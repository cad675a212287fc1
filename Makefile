PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
EVALUATES := .venv/evaluates

EDITORS := .editors
VSCODE := editors/vscode
NODE := PATH="$(CURDIR)/$(EDITORS)/node_modules/node/bin:$$PATH" npm --prefix $(VSCODE) run --silent

.PHONY: install explain test test-slow test-editors fuzz check docs

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable . --group dev
	touch $@

# Six hundred megabytes that only the slow tests need.
$(EVALUATES): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[eval]'
	touch $@

explain: install
	$(BIN)/readhead explain --workspace build/demo

test: install
	$(BIN)/python -m pytest

test-slow: $(EVALUATES)
	$(BIN)/python -m pytest -m slow

# Half a gigabyte that only the tests in editors need.
$(EDITORS)/installed: $(INSTALLED) tests/editors/install.sh tests/editors/neovim.txt $(VSCODE)/package-lock.json
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group editors
	tests/editors/install.sh $(EDITORS)
	touch $@

test-editors: $(EDITORS)/installed
	$(NODE) check
	$(NODE) test
	$(NODE) package
	$(BIN)/python -m pytest -m editors -rA tests/editors

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
