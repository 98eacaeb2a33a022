# Every target installs what it needs: Debian packages by apt, Python packages into .venv.
# Another interpreter than Debian's: make PYTHON=/path/to/python3.12 ...

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHON ?= /usr/bin/python3
export REPORTS := $(CURDIR)/.cache/reports
# Reports of single test runs are for tools/run.py.
PYTEST = pytest -q --junit-xml=$(REPORTS)/$@.xml
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.cache/hypothesis

CHECKS := style lint types playbooks changelog python36

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: check test
check: setup  ## linters, types, documentation and unit tests: the quick round
	@python tools/run.py check $(CHECKS) quick

test: setup  ## everything: check, other Pythons, ansible-test, the archive, simulated hosts, virtual machines
	@python tools/run.py test $(CHECKS) unit targets versions sanity versions-sanity integration package fleet versions-fleet services lab

.PHONY: soak
soak: setup  ## a million bad inputs for the parsers; on real machines variants, rollback, autoload, pushed kernels (hours)
	tools/setup lab
	$(PYTEST) -m soak tests
	tools/setup fleet
	tools/versions fleet
	tools/versions sanity

.PHONY: bench
bench: setup  ## measures side by side with what users have today, on virtual machines and simulated hosts
	tools/setup lab
	tools/setup fleet
	$(PYTEST) -m bench tests

.PHONY: demo demo-down
demo: setup  ## three virtual machines get a newer kernel and are rebooted into it, fast
	@tools/demo up

demo-down:  ## stops the demo's virtual machines
	@tools/demo down

.PHONY: setup
setup:  ## the Python packages into .venv (make test and make demo install the rest by themselves)
	@tools/setup base

# The rounds above in single steps.

.PHONY: style lint types playbooks changelog python36 quick unit
style: setup  ## is the Python code formatted as ruff does it? (make format does it)
	ruff format --check

lint: setup  ## ruff's rules for Python, shellcheck for shell scripts
	ruff check
	shellcheck $$(grep -rlE '^#!/.*\bb?a?sh( |$$)' .ci tools tests/lab tests/fleet tests/services)

types: setup  ## mypy, strict
	@tools/types

playbooks: setup  ## ansible-lint, profile production
	ANSIBLE_COLLECTIONS_PATH=playbooks/collections ansible-lint --strict --nocolor -q

changelog: setup  ## antsibull-changelog lint
	antsibull-changelog lint

python36: setup  ## does the target-side code stay within Python 3.6?
	@tools/python36

quick: setup  ## unit tests, but for the slow ones
	$(PYTEST) -m "not slow and not soak" tests/unit

unit: setup  ## unit tests
	tools/setup unit
	$(PYTEST) tests/unit

.PHONY: targets versions sanity versions-sanity integration package fleet versions-fleet services lab
targets: setup  ## unit tests of target-side code under every other Python here
	@tools/targets

versions: setup  ## unit tests of controller-side code under every other ansible-core that a Python here can have
	@tools/versions unit

sanity: setup  ## ansible-test sanity
	@tools/ansible-test sanity --venv --color no

# Without pylint, which takes as long as all others together; make soak has it too.
versions-sanity: setup  ## ansible-test sanity of every other ansible-core
	@tools/versions sanity --skip-test pylint

integration: setup  ## ansible-test integration
	@if [ -d tests/integration/targets ]; then tools/ansible-test integration --venv --color no; \
	else echo 'SKIPPED: there is no tests/integration/targets'; fi

package: setup  ## builds the archive, installs it, looks at it
	$(PYTEST) tests/packaging

fleet: setup  ## the playbook over simulated hosts with every fault
	tools/setup fleet
	$(PYTEST) -m fleet tests

versions-fleet: setup  ## a roll with faults, and AWX's jobs, under every other ansible-core (make soak has all of fleet)
	tools/setup fleet
	@tools/versions fleet -k 'answers_are_text or until_the_failures_are_used_up'

services: setup  ## what talks to other programs, with the real ones: load balancer, browser
	tools/setup services
	$(PYTEST) -m services tests

lab: setup  ## tests on virtual machines
	tools/setup lab
	$(PYTEST) -m lab tests

.PHONY: format clean
format: setup  ## formats the Python code and mends what ruff can
	ruff format
	ruff check --fix

clean: demo-down  ## removes .venv, .cache and all that a tool left
	rm -rf .venv .cache .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
