# Two commands do everything on a bare Debian with python3.11, venv and make: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_ARGS ?=
TEST_ARGS ?=
CAMPAIGN_ARGS ?=
SEEDS_ARGS ?=
MUTATION_ARGS ?=

.PHONY: help demo test coverage check format lint types contracts bench campaign seeds mutation trace broker analyzer deb clean

help:
	@echo "make demo      run a simulated treatment, start to end  (DEMO_ARGS=\"--duration 60\")"
	@echo "make test      every test once"
	@echo "make check     format, lint, types, import contracts, tests with coverage"
	@echo "make bench     ratios against the raw library in the same run"
	@echo "make deb       a Debian 12 package in dist/ that installs without a network"
	@echo "make campaign  repetitions, soaks and crash loops; resumable"
	@echo "make seeds     random people, hands and faults in virtual time; resumable  (SEEDS_ARGS=\"--seeds 1000\")"
	@echo "make mutation  mutants of the safety core; resumable  (MUTATION_ARGS=\"--only tables\")"
	@echo "make trace     hazards, traceability and fault matrix from their files"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("cryodevice needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "cannot create $(VENV): install python3-venv (apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

broker:
	@sh scripts/ensure-mosquitto.sh

analyzer:
	@sh scripts/ensure-systemd.sh

demo: $(STAMP)
	@$(BIN)/cryodevice demo $(DEMO_ARGS)

test: $(STAMP) broker analyzer
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(TEST_ARGS)

format: $(STAMP)
	@$(BIN)/ruff format --check .

lint: $(STAMP)
	@$(BIN)/ruff check .

types: $(STAMP)
	@$(BIN)/mypy

contracts: $(STAMP)
	@$(BIN)/lint-imports

coverage: $(STAMP)
	@$(BIN)/coverage report --include='cryodevice/safety/*,cryodevice/treatment/*,cryodevice/wire/*' --fail-under=100

check: format lint types contracts
	@$(MAKE) --no-print-directory test TEST_ARGS="--cov --cov-report= $(TEST_ARGS)"
	@$(MAKE) --no-print-directory coverage

deb: $(STAMP)
	@$(BIN)/python deploy/debian/build.py

bench: $(STAMP)
	@$(BIN)/python -m benchmarks

campaign: $(STAMP) broker
	@$(BIN)/python -m tests.campaign $(CAMPAIGN_ARGS)

seeds: $(STAMP)
	@$(BIN)/python -m tests.campaign.seeds $(SEEDS_ARGS)

mutation: $(STAMP)
	@$(BIN)/python -m tests.campaign.mutation $(MUTATION_ARGS)

trace: $(STAMP)
	@$(BIN)/python -m tests.trace
	@$(BIN)/python -m tests.campaign.fault_matrix

clean:
	rm -rf $(VENV) build dist .coverage .mypy_cache .ruff_cache .import_linter_cache .hypothesis
