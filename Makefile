# The two commands of the README are `make demo` and `make test`. Each does its own set-up: it finds
# a Python, makes .venv, and installs what it needs, once. Nothing else is needed; no compiler.

VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
PYTEST := $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

.PHONY: help demo test long bench lint format types arrows kernels docs deb deb-test clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo          a running lab on this machine, with incidents within seconds'
	@echo 'make demo ONCE=1   the same, ending by itself with a summary'
	@echo 'make test          everything that can be checked here: lint, types, arrows, tests'
	@echo 'make long          the tests that take minutes'
	@echo 'make bench         the hot paths, measured, beside what is asked of them'
	@echo 'make bench BESIDE=DIR   the same, in turn with another checkout'
	@echo 'make lint | format | types | arrows   one part of `make test`'
	@echo 'make docs          write docs/reference/ and the picture of the rooms from the code'
	@echo 'make deb           the Debian package of the agent, in dist/ (ARCH=arm64 for the other)'
	@echo 'make deb-test      installed, joined, updated and removed in a clean Debian; as root'
	@echo 'make clean         remove what these made'

demo: $(VENV)/ready-to-run
	@$(BIN)/dijkwacht demo $(if $(ONCE),--once)

test: lint types arrows kernels
	@echo '== tests'
	@$(PYTEST)

long: $(VENV)/ready-to-develop
	@$(PYTEST) --long -m long

bench: $(VENV)/ready-to-develop
	@$(BIN)/python benchmarks/figures.py $(if $(BESIDE),--before $(BESIDE))

lint: $(VENV)/ready-to-develop
	@echo '== lint'
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'run: make format'; exit 1; }

format: $(VENV)/ready-to-develop
	@$(BIN)/ruff format .

types: $(VENV)/ready-to-develop
	@echo '== types'
	@$(BIN)/mypy

arrows: $(VENV)/ready-to-develop
	@echo '== arrows between the packages'
	@$(BIN)/lint-imports --no-logo

# Compiled once before the tests share the cores; numba keeps what it made beside the sources.
kernels: $(VENV)/ready-to-develop
	@echo '== compiling kernels'
	@$(BIN)/python -c 'from dijkwacht_collector.engine.warmup import warm_up; \
	    from dijkwacht_detectors.discover import shipped_detectors; warm_up(shipped_detectors())'

docs: $(VENV)/ready-to-develop
	@$(BIN)/python docs/generate.py
	@$(BIN)/python docs/draw_rooms.py
	@$(BIN)/python docs/draw_vantage_points.py

deb: $(VENV)/ready-to-develop
	@$(BIN)/python deploy/debian/build.py --arch $(or $(ARCH),amd64)

deb-test: $(VENV)/ready-to-develop
	@echo '== the package in a clean root'
	@$(BIN)/python deploy/debian/try_in_clean_root.py

clean:
	rm -rf $(VENV) var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The oldest Python that serves is 3.11. `python3` is asked first, so that a chosen one is kept.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    $$python -c 'import ensurepip, venv' 2>/dev/null || { lame=$$python; continue; }; \
	    echo "Making $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv $(VENV); \
	done; \
	if [ -n "$$lame" ]; then \
	    echo "$$lame cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install python3-venv"; \
	else \
	    echo 'Dijkwacht needs Python 3.11 or newer, and none of python3, python3.13, 3.12, 3.11 is one.'; \
	    echo 'Install it, or name it: make demo PYTHON=/path/to/python'; \
	fi >&2; exit 1

# pip tells what it fetches; only the names are shown. A pipe hides pip's own exit code, so each
# stamp is made behind pip, and looked for afterwards. The whole of pip's words is in a log.
fetch = { $(BIN)/python -m pip install --disable-pip-version-check --no-input $(wanted) 2>&1 && touch $@; } \
    | tee $(VENV)/install.log | sed -n -e 's/^ *Downloading \([^- ]*\).*/  fetching \1/p' -e 's/^ *Using cached \([^- ]*\).*/  \1/p'; \
    test -e $@ || { echo 'The installation failed; pip said:'; tail -n 20 $(VENV)/install.log; exit 1; } >&2

$(VENV)/ready-to-run: wanted = --editable '.[collector]'
$(VENV)/ready-to-run: pyproject.toml | $(BIN)/python
	@rm -f $@; echo 'Installing what the demo needs (about 150 MB, once)'
	@$(fetch)

$(VENV)/ready-to-develop: wanted = --editable '.[lab,scapy,flowexport]' --group dev
$(VENV)/ready-to-develop: pyproject.toml | $(BIN)/python
	@rm -f $@; echo 'Installing what tests and tools need (about 300 MB, once)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(fetch)
	@touch $(VENV)/ready-to-run
