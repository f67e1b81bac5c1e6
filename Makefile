# Everything from a fresh checkout: each target sets itself up. Needs Python 3.11 or newer, a C++ compiler, make and perl.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PYTEST_ARGS ?= -n 2 --dist worksteal

.PHONY: demo test test-all lint docs pages dist hour clean

demo: .venv/ready  ## the whole path on a built-in model; results in build/demo/index.html
	$(BIN)/narrows demo

test: .venv/ready  ## all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: .venv/ready-all  ## those too that need torch or place and route
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: .venv/ready-dev build/lint/narrows  ## style, types (torch's, too), import rules
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	PYTHONPATH=build/lint $(BIN)/lint-imports --no-cache

docs: .venv/ready-docs  ## the site, in build/docs/index.html
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --conf-dir docs/site docs build/docs

pages: .venv/ready-pages  ## pages and site (once it is made) in a headless Chromium: widths, labels, accessibility
	$(BIN)/python -m pytest tests/test_pages.py

# The wheel is made from the unpacked sources, and the same bytes for the same commit.
dist: .venv/ready-dist  ## sources and wheel in dist/, checked as a package index does
	rm -rf dist
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

hour: dist  ## the first hour from the wheel and an empty folder: an environment, every command, a bitstream
	$(PYTHON) bench/first_hour.py dist/*.whl

clean:
	rm -rf .venv build dist

# The package list is part of pyproject.toml, so a new package is a new installation.
.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "narrows needs Python 3.11 or newer: make PYTHON=/path/to/it")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,dev,train]'
	touch $@

.venv/ready-docs: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,docs]'
	touch $@

.venv/ready-pages: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,pages]'
	touch $@

.venv/ready-dist: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,release]'
	touch $@

.venv/ready-all: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,train,pnr]'
	touch $@

# Type checker and import linter see narrows as plain folders here, not through the editable installation.
.PHONY: build/lint/narrows
build/lint/narrows:
	mkdir -p $@
	for tree in hw sw sim boards; do ln -sfn ../../../$$tree $@/$$tree; done
	for file in __init__.py __main__.py py.typed; do ln -sfn ../../../sw/package/$$file $@/$$file; done
