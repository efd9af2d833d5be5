# `make help` lists the targets. Every target sets itself up: .venv is built from the lock when it is missing or older.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := data,train,track,pipelines,dev

# Nothing of ours reports its use to anybody.
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
# `dvc repro` calls `reenact` by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Two workers that each compute with all cores wait for each other more than they compute.
ONE_THREAD := OMP_NUM_THREADS=1

.PHONY: help setup demo run repro study test test-all test-containers images lint bench compile clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Build .venv from constraints.txt (quick when nothing changed)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Python 3.11 or newer with venv is needed: apt-get install python3-venv, or make PYTHON=/path/to/python3"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: $(STAMP) ## See the whole thing: draw clips, train two variants, compare, register (about a quarter of an hour)
	$(BIN)/reenact demo

run: $(STAMP) ## Run the pipeline on your own videos: make run VIDEOS=folder
	$(BIN)/reenact run --videos "$(VIDEOS)"

repro: $(STAMP) ## The same stages by DVC: runs what has changed
	$(BIN)/reenact repro

study: $(STAMP) ## A paper's tables, curves and claims (hours; goes on where it was stopped): make study NAME=caingan
	$(BIN)/reenact study $(NAME)

test: lint ## Lint, types, import rules and all quick tests
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

test-all: lint ## All tests, slow ones too (set REENACT_REAL_DATA for those on real videos)
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadgroup

images: ## Build the images of the pipeline's steps with docker or podman (docs/images.md; ENGINE, TORCH, WHEELS, NAMES)
	$(PYTHON) docker/build.py

test-containers: $(STAMP) images ## The pipeline in real containers: builds the images, then tests in them
	$(ONE_THREAD) REENACT_CONTAINERS=required $(BIN)/python -m pytest -m containers tests/

lint: $(STAMP) ## Style, types, and which part may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## Measure speeds beside bare loops; JSON and table with machine facts in build/bench
	$(BIN)/python benchmarks/run.py

compile: $(STAMP) ## Compile the Kubeflow pipelines to pipelines/compiled
	$(BIN)/python -m pipelines.compile

clean: ## Remove what runs have written (out/, runs/, build/); keeps .venv, mlflow/ and the DVC cache
	rm -rf out runs build
