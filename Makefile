# Every target makes what it needs by itself: Python 3.11 or newer, git and make are enough to begin with.
.DEFAULT_GOAL := help
.PHONY: help demo up test lint docs reference bench chaos soak fuzz screenshots lock clean
# Nothing here is worth running side by side, and the output of a target is for a person.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

help: ## say what each target does
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: ## generate, package and push an example project, and show what happened
	@scripts/bootstrap runtime
	@exec .venv/bin/repomill demo

up: ## start everything: web, workers, beat, Flower and the embedded broker; Ctrl-C stops it
	@scripts/bootstrap runtime
	@exec .venv/bin/repomill up

test: ## run every check: lint, types, import rules, migrations, tests with coverage
	@scripts/bootstrap dev
	@exec .venv/bin/python scripts/check

lint: ## run the checks without the tests
	@scripts/bootstrap dev
	@exec .venv/bin/python scripts/check --no-tests

docs: reference ## build the docs as a site below build/site; a broken link is an error
	@.venv/bin/python -m sphinx -q -W --keep-going -j auto docs build/site
	@echo "docs: wrote build/site; open build/site/index.html"

reference: ## write docs/reference/ anew from the code
	@scripts/bootstrap dev
	@.venv/bin/python -m scripts.reference

bench: ## measure Repomill against its peers, both in one run
	@scripts/bootstrap dev
	@exec .venv/bin/python -m benchmarks

chaos: ## strike at every boundary of the execution with every fault, on both databases (about ten minutes)
	@scripts/bootstrap dev
	@exec .venv/bin/python -m pytest tests/integration -m chaos

soak: ## run the example a thousand times while faults strike (ARGS="--runs 50 --seed 2")
	@scripts/bootstrap dev
	@exec .venv/bin/python -m benchmarks.soak $(ARGS)

fuzz: ## make requests of every kind to every operation of the API (EXAMPLES=200 SEED=7 says how many and which)
	@scripts/bootstrap dev
	@REPOMILL_FUZZ_EXAMPLES=$(or $(EXAMPLES),50) REPOMILL_FUZZ_SEED=$(SEED) .venv/bin/python -m pytest -s tests/integration/test_whole_api.py

screenshots: ## make the pictures of the console anew: every page's in docs/pictures, the tour's in docs/images/tour
	@scripts/bootstrap dev
	@.venv/bin/python -m tests.browser.screenshots

lock: ## write the lock files anew (UPGRADE=1 takes the newest versions)
	@scripts/lock

clean: ## remove .venv and every cache; the data folder stays
	@rm -rf .venv .tools build __pycache__ .coverage.json .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find backend workers tests benchmarks examples scripts -name __pycache__ -type d -prune -exec rm -rf {} +
