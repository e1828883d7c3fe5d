# What a person and CI run. PYTHON picks the interpreter; ARGS replaces what `make run` passes to `daybook up`;
# WORKERS is how many processes share the tests, each with servers of its own: they wait much of the time
# (docs/testing.md), so two cores have room for three.

PYTHON ?= python3
ARGS ?= --demo sample
WORKERS ?= 3
BIN := .venv/bin
STAMP := .venv/setup-stamp
# A file's tests run in one process, and so do folders that share a server, in the order of tests/conftest.py.
SHARED := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
CODE := aggregates commands deploy docs event_store projections read_api replays tests daybook.py

.PHONY: setup run test coverage check bench proofs mutants clean

setup: $(STAMP)

# The stamp bears the time of the last installation: where pyproject.toml is older, nothing is to be done.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Daybook needs Python 3.11 or newer; '$(PYTHON)' is not. Set PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing Daybook and what its tests need into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $(STAMP)

# The last line is one plain command, so that make hands SIGTERM on to it.
run: setup
	$(BIN)/daybook up $(ARGS)

test: setup
	$(BIN)/python -m pytest -q $(SHARED)

# Of the rules and the write side, by branch; fails below what pyproject.toml demands.
COVERED := tests/aggregates tests/commands tests/processes tests/importing tests/edge tests/golden \
	tests/system/test_up.py tests/system/test_demo.py tests/system/test_guarded.py

coverage: setup
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q $(SHARED) $(COVERED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/architecture
	$(BIN)/python -m tests.contracts

# The promises again, for minutes, and at every place and step of which `make test` takes a sample (the tests
# marked `proof`); then the log at ten million events: what an append costs, and a restore.
proofs: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,clickhouse]'
	$(BIN)/python -m pytest -q tests/proofs
	$(BIN)/python -m pytest -q --proofs
	$(BIN)/python -m tests.bench sizes restore

# Mutation testing of the calculation of prices: what no test notices is listed. Half an hour on two cores.
mutants: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,mutants]'
	$(BIN)/python -m tests.pricing.mutants

bench: setup
	$(BIN)/python -m tests.bench

clean:
	rm -rf .venv mutants .coverage* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
