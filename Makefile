# One command each. `make run` and `make test` prepare everything they need.

PYTHON := .venv/bin/python
TRAINER := .millrace/train/bin/python
# Processes that run tests. Most of them wait for the real parts most of the time, so there are more than cores.
PROCESSES ?= 4

# The project has an environment of its own, whatever the shell's is.
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS PYTHONDEVMODE PYTHONINSPECT VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

ifdef PYTHONDONTWRITEBYTECODE
# Nothing is to be written beside the sources; compiling every module anew in each of many processes would be slow.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/.millrace/pycache
endif

.DEFAULT_GOAL := help
.PHONY: help run test check thorough pipelines caches sync lint format types imports schemas bench peers trainer train mlflow clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /: /' | awk -F': ' '{printf "%-10s %s\n", $$1, $$2}'

run: sync ## start the whole system, send a photo through face-blur, serve until Ctrl-C
	@exec $(PYTHON) -m infra.local up --demo --with-parent

test: sync ## every check and test, with the real parts
	@$(PYTHON) -m infra.local install
	@$(MAKE) --no-print-directory --question trainer 2>/dev/null || rm -f .millrace/train/synced
	@export MILLRACE_TEST_TRAINER=coming; $(call beside,caches trainer lint types imports pipelines,)

check: sync ## style, types, imports, unit and property tests (3 minutes)
	@$(call beside,lint types imports pipelines,tests/unit tests/property)

thorough: sync ## what takes too long for every change, as long loops and many more examples (an hour)
	@MILLRACE_EFFORT=thorough $(PYTHON) -m pytest -n 2 --timeout=7200 tests/property tests/chaos

# Checks run beside the tests, at a lower priority. What they say is shown whole when the tests are done; one that fails fails all.
# $(1): targets of checks; $(2): arguments of pytest.
define beside
	log=$$(mktemp); nice $(MAKE) --no-print-directory --keep-going $(1) > "$$log" 2>&1 & checks=$$!; \
	trap 'kill $$checks 2>/dev/null; rm -f "$$log"' EXIT; trap 'exit 130' INT TERM; \
	status=0; failed=; $(PYTHON) -m pytest -n $(PROCESSES) $(2) || status=$$?; \
	wait $$checks || { status=1; failed="a check failed, see above"; }; cat "$$log"; \
	[ -z "$$failed" ] || echo "$$failed"; exit $$status
endef

sync: .venv/synced ## the virtual environment, from the lock file

.venv/synced: pyproject.toml uv.lock
	@infra/local/bootstrap
	@touch $@

lint: sync ## style
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

format: sync ## put the style right
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

types: sync ## types, strictly
	@.venv/bin/mypy

imports: sync ## who may import whom
	@.venv/bin/lint-imports --no-cache

pipelines: sync ## the tests in the files of the shipped pipelines
	@$(PYTHON) -m streams.cli test

# What shortens the start of the stack; without it everything works.
caches: sync
	@$(PYTHON) -m infra.local train || true

schemas: sync ## write the Avro contracts of the services from their agents
	@$(PYTHON) -m streams.cli schemas

bench: sync peers ## the benchmarks: the whole stack, beside other frameworks, and parts against bare loops
	@$(PYTHON) -m streams.cli bench

# What Millrace is measured beside has an environment of its own too.
peers: .millrace/peers/synced ## the environment of `millrace bench peers`: Celery, FastStream, Quix Streams, Redis

.millrace/peers/synced: tests/benchmarks/peers/pyproject.toml tests/benchmarks/peers/uv.lock
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.millrace/peers infra/local/bootstrap --project tests/benchmarks/peers
	@touch $@

# TensorFlow and MLflow are in an environment of their own: what serves must not carry them.
trainer: .millrace/train/synced ## the environment in which models are trained

.millrace/train/synced: pyproject.toml uv.lock
	@rm -f .millrace/train-failed
	@UV_PROJECT_ENVIRONMENT=.millrace/train infra/local/bootstrap --no-default-groups --group train \
		|| { touch .millrace/train-failed; exit 1; }
	@touch $@

train: trainer ## make the shipped models anew from the data, with fixed seeds (PART=digits for one of them)
	@$(TRAINER) -m training $(PART)

mlflow: trainer ## the page of MLflow: trainings, models and their versions, of the local stack that runs
	@$(TRAINER) -m training.registry.page

clean: ## stop the local stack and remove its state, and what tools left
	@if [ -e .millrace/lock ] && [ -x $(PYTHON) ]; then $(PYTHON) -m infra.local down --home .millrace || [ $$? -eq 6 ]; fi
	@rm -rf .millrace .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
