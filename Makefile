# Short names for the commands of this project. `make setup` once, then `make check` before every commit.

BIN ?= .venv/bin
SCENARIO ?= cold

.PHONY: setup demo test fast lint check cover dev bench

setup:  ## create .venv with the project and the developers' tools
	python3 bootstrap.py setup
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.txt

demo:  ## set up, run the main job on the bundled sample, search it
	python3 bootstrap.py demo

test:  ## every test
	$(BIN)/python -m pytest -n logical

fast:  ## every test that takes less than about five seconds
	$(BIN)/python -m pytest -n logical -m 'not slow'

lint:  ## formatting, rules, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## everything

cover:  ## which lines the tests reach, in every process; at least nine tenths
	rm -f .coverage .coverage.*
	COVERAGE_FILE=$(CURDIR)/.coverage COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml $(BIN)/python -m pytest -n logical
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --skip-empty

dev:  ## Dagster's UI on http://127.0.0.1:3000
	$(BIN)/dagster dev

bench:  ## one benchmark: make bench SCENARIO=scale
	$(BIN)/python -m benchmarks $(SCENARIO)
