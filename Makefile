# Each target sets up what it needs; `make` alone says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/locks
IMAGE ?= leanix-backup:dev
IMAGE_BUILDER ?= docker
IMAGE_RUNNER ?= $(IMAGE_BUILDER)

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types architecture format generate bench crash-matrix fault-matrix month retention-oracle many-backups image image-test lock clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "leanix-backup needs Python 3.11 or newer: make PYTHON=python3.11 …" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Two stamps over one environment: the demo does not wait for the linters.
$(VENV)/.demo: $(BIN)/python $(LOCKS)/demo.txt $(LOCKS)/build.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/demo.txt -r $(LOCKS)/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo $(LOCKS)/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev $(LOCKS)/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/bench.txt
	@touch $@

demo: $(VENV)/.demo ## Run the whole thing once against a simulated workspace
	$(BIN)/leanix-backup demo

test: $(VENV)/.bench ## Run the test suite
	$(BIN)/python -m pytest

check: lint types architecture test ## Everything that CI runs

lint: $(VENV)/.dev ## Lint and check the formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check the types
	$(BIN)/mypy

architecture: $(VENV)/.dev ## Check who may import whom
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## Format, and mend what can be mended
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

generate: $(VENV)/.dev ## Print the sample, the schema and the event list anew from the code
	$(BIN)/leanix-backup config example > config/leanix-backup.example.yaml
	$(BIN)/leanix-backup config schema > config/leanix-backup.schema.json
	$(BIN)/python -m tests.support.print_pages
	$(BIN)/python -m tests.retention.picture > docs/img/retention.svg

bench: $(VENV)/.bench ## Run the benchmarks, with their peers beside them
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.upload

crash-matrix: $(VENV)/.dev ## Kill a backup at every step, and see what the next start makes of it
	$(BIN)/python -m tests.faults.crash

fault-matrix: $(VENV)/.dev ## Let everything go wrong, on the wire and on disks, and see how each run ends
	$(BIN)/python -m tests.faults.matrix

month: $(VENV)/.dev ## Live through a month of kills, stops and outages in minutes, and replay the changelog
	$(BIN)/python -m tests.faults.month
	$(BIN)/python -m tests.faults.month --dates

retention-oracle: $(VENV)/.dev ## Compare the retention with restic's own (RESTIC=/path/to/restic, 0.16 or newer)
	$(BIN)/python -m tests.retention.oracle

many-backups: $(VENV)/.dev ## List and prune 10,000 backups at S3, and count the requests
	$(BIN)/python -m tests.e2e.many_backups

image: ## Build the container image (IMAGE_BUILDER: docker, or a script that takes CONTEXT TAG)
ifeq ($(notdir $(IMAGE_BUILDER)),docker)
	$(IMAGE_BUILDER) build --tag $(IMAGE) .
else
	$(IMAGE_BUILDER) . $(IMAGE)
endif

image-test: $(VENV)/.bench ## Build it from what a clean clone holds and try it
	IMAGE_BUILDER=$(IMAGE_BUILDER) IMAGE_RUNNER=$(IMAGE_RUNNER) $(BIN)/python -m pytest -n 0 tests/image

lock: $(VENV)/.dev ## Compile the hash-pinned locks anew
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o $(LOCKS)/runtime.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --extra demo -c $(LOCKS)/runtime.txt pyproject.toml -o $(LOCKS)/demo.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --group build -o $(LOCKS)/build.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --extra demo --group build --group dev -c $(LOCKS)/demo.txt -c $(LOCKS)/build.txt pyproject.toml -o $(LOCKS)/dev.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --group bench -c $(LOCKS)/dev.txt -o $(LOCKS)/bench.txt

clean: ## Remove what make and the demo made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist leanix-backup-demo
