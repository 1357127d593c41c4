# Every target is one or two plain commands: read it to see what to type without make.

PYTHON ?= python3
HOST   ?= 127.0.0.1
PORT   ?= 8080
CONFIG ?= config.ini
VENV   ?= .venv
# More options for pytest, say: make test ARGS="-k upload"
ARGS   ?=
# Services whose absence is a failure instead of a skip: REQUIRE=all, or names as in the skip's reason.
REQUIRE ?=

BIN := $(VENV)/bin
# Hash-pinned, wheels only: nothing is compiled here and no setup.py runs.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all:
# The project itself, from this folder: a changed file takes effect at the next start.
SELF_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
PYTEST := $(BIN)/python -m pytest $(if $(REQUIRE),--require=$(REQUIRE))
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url $(UPGRADE)

# Ctrl-C on a terminal goes to every process of the foreground group, and make would report the one it gets as an
# error. So the server becomes a group of its own, in front, and ends by itself; a plain kill still finds it.
define IN_FRONT
import os, signal, sys
if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
endef
export IN_FRONT

# Images for containers set it, and then every process that a test starts compiles the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-all lint types check ldap clients bench requirements sample clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo "  variables      PYTHON=$(PYTHON) HOST=$(HOST) PORT=$(PORT) CONFIG=$(CONFIG) VENV=$(VENV) ARGS=… REQUIRE=…"

run: $(VENV)/run.stamp ## start the server here; the first time it also makes config.ini and an admin
	@$(BIN)/python -m pypicloud_lite.cli.first_config $(CONFIG) --url http://$(HOST):$(PORT)
	@$(BIN)/python -c "$$IN_FRONT" $(BIN)/ppc-serve $(CONFIG) --host $(HOST) --port $(PORT)

test: $(VENV)/dev.stamp ## the quick tests; what needs a service that is not there is skipped with its reason
	$(PYTEST) $(ARGS)

test-all: $(VENV)/dev.stamp ## every test, the slow and long ones and the real clients too: about an hour
	$(PYTEST) -m "" $(ARGS)

ldap: $(VENV)/ldap.stamp ## compile the client of LDAP, without which its tests are skipped; wants gcc and libldap-dev

clients: $(VENV)/dev.stamp ## only the tests that drive real clients: pip, uv, twine, poetry, pdm, …
	$(PYTEST) -m clients $(ARGS)

lint: $(VENV)/dev.stamp ## ruff, import-linter, codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell

types: $(VENV)/dev.stamp ## mypy, strict
	$(BIN)/mypy

check: lint types test ## lint, types and test: run it before you hand a change in

bench: $(VENV)/dev.stamp ## what it costs, beside nginx and a bare Pyramid view
	$(BIN)/python -m bench $(ARGS)

requirements: $(VENV)/dev.stamp ## make requirements/*.txt anew from pyproject.toml; UPGRADE=--upgrade takes newer releases
	$(COMPILE) pyproject.toml --extra s3 --extra postgres --extra mysql --extra redis --extra remote -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra s3 --extra postgres --extra mysql --extra redis --extra remote --group dev -c requirements/run.txt -o requirements/dev.txt
	for group in backends build clients devpi flit hatch ldap pdm peers pipenv poetry; do $(COMPILE) --group pyproject.toml:$$group -o requirements/$$group.txt || exit 1; done

sample: $(VENV)/run.stamp ## make config.ini.sample anew from the declared settings
	$(BIN)/python -m pypicloud_lite.cli.sample > config.ini.sample

clean: ## remove what the targets above made, but never config.ini or data
	rm -rf $(VENV) .venv-* build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

# The virtual environments. A stamp is newer than the requirements that were installed.

$(VENV)/made.stamp:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed. On Debian: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: $(VENV)/made.stamp requirements/run.txt requirements/build.txt pyproject.toml
	$(PIP_INSTALL) -r requirements/run.txt -r requirements/build.txt
	$(SELF_INSTALL)
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

# What has to be compiled, by the pinned setuptools that is there already, and so is apart from all else. It wants a
# compiler and headers; on Debian: apt-get install gcc python3-dev libldap-dev libsasl2-dev.
$(VENV)/ldap.stamp: $(VENV)/dev.stamp requirements/ldap.txt
	$(PIP_INSTALL) --no-binary python-ldap --no-build-isolation -r requirements/ldap.txt
	@touch $@
