# The front door: CI, tox and people run these commands. Needs make and Python >= 3.11.

PYTHON ?= python3
VENV ?= .venv
# "no" leaves the suite out of `make check`, where `make test` has just run.
SUITE ?= yes
# More options for pytest, such as ARGS="-k refresh".
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install
# Processes that share the tests. On two cores a third one has what the others leave, while
# they wait for something. 0: one, in the open.
WORKERS ?= 3
PYTEST := $(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadfile \
  --no-loadscope-reorder $(ARGS)

# Some branches are about PostgreSQL and MariaDB: without them 100 % cannot be reached.
ifeq ($(OAUTH_ACCOUNTS_TEST_SERVICES),1)
TEST_ENV := $(VENV)/.installed-services
# The rest is reached by tests that are not measured (tests/conftest.py).
COVERED := 99
else
TEST_ENV := $(VENV)/.installed-test
COVERED := 0
endif

# The site runs on SQLite and a folder of messages; on others it needs their drivers.
comma := ,
DEMO_EXTRAS := demo$(if $(filter postgres%,$(DATABASE_URL)),$(comma)postgres)$(strip \
  )$(if $(filter mysql%,$(DATABASE_URL)),$(comma)mysql)$(strip \
  )$(if $(filter redis%,$(CELERY_BROKER_URL)),$(comma)redis)
DEMO_ENV := $(VENV)/.installed-$(subst $(comma),-,$(DEMO_EXTRAS))

.PHONY: help demo serve screenshots bench chaos test test-sqlite test-postgres test-mariadb check lint bandit format \
	types contracts migrations docs messages changelog spelling fuzz simulate clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    watch a connected account live its life on a real site"
	@echo "make serve   leave the same site running, with demo data in every state"
	@echo "make test    run the suite"
	@echo "make check   everything CI asks for, the suite included (SUITE=no: without)"
	@echo "make bench   measure it beside other libraries (PostgreSQL and Redis must run)"
	@echo "make chaos   kill workers for ten minutes and look for what is lost"
	@echo "make fuzz    look for bytes that break what reads them"
	@echo "make messages  bring the translations up to date; NEW=nl begins one"
	@echo "make docs    build the documentation into docs/_build/html"
	@echo "make screenshots  take the pictures of the documentation anew"
	@echo "make simulate  play 100 million accounts; updates docs/scaling.md"

# ---- environments -------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "==> making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "This Python cannot make environments (Debian: apt-get install python3-venv)." >&2; \
	  exit 1; }

$(DEMO_ENV): EXTRAS := $(DEMO_EXTRAS)
$(VENV)/.installed-test: EXTRAS := test
$(VENV)/.installed-services: EXTRAS := test,browser,postgres,mysql,redis
$(VENV)/.installed-screenshots: EXTRAS := test,browser,screenshots
$(VENV)/.installed-bench: EXTRAS := bench
$(VENV)/.installed-check: EXTRAS := test,docs,dev
$(VENV)/.installed-docs: EXTRAS := docs
$(VENV)/.installed-simulate: EXTRAS := simulate
$(VENV)/.installed-fuzz: EXTRAS := fuzz

$(VENV)/.installed-%: setup.cfg pyproject.toml $(BIN)/python
	@echo "==> installing the package with [$(EXTRAS)]"
	@$(PIP) -e '.[$(EXTRAS)]'
	@touch $@

# ---- the site -----------------------------------------------------------------------

demo: $(DEMO_ENV)
	@$(BIN)/python -m example_project.demo

serve: $(DEMO_ENV)
	@$(BIN)/python -m example_project.serve

# Names of pages, such as PAGES="accounts result"; empty for all of them.
PAGES ?=

screenshots: $(VENV)/.installed-screenshots
	@$(BIN)/python -m tests.browser.pictures $(PAGES)

# ---- the figures --------------------------------------------------------------------

# More options, such as BENCH="--quick --only flows".
BENCH ?= --json benchmarks/results.json --docs

bench: $(VENV)/.installed-bench
	@$(BIN)/python -m benchmarks $(BENCH)

# More options, such as CHAOS="--quick".
CHAOS ?=

chaos: $(VENV)/.installed-bench
	@$(BIN)/python -m benchmarks.chaos $(CHAOS)

# ---- the suite ----------------------------------------------------------------------

# With OAUTH_ACCOUNTS_TEST_SERVICES=1 whatever touches a database runs on all three, and
# the coverage of the runs is added up.
test: $(TEST_ENV)
	@$(BIN)/python -m coverage erase
	@$(MAKE) --no-print-directory test-sqlite
ifeq ($(OAUTH_ACCOUNTS_TEST_SERVICES),1)
	@$(MAKE) --no-print-directory test-postgres
	@$(MAKE) --no-print-directory test-mariadb
endif
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage report --fail-under=$(COVERED)

test-sqlite: $(TEST_ENV)
	@echo "==> the suite on SQLite"
	@TEST_DATABASE=sqlite $(PYTEST)

test-postgres test-mariadb: test-%: $(VENV)/.installed-services
	@echo "==> the tests that use a database, on $*"
	@TEST_DATABASE=$* $(PYTEST) -m "database or $*"

# ---- the checks ---------------------------------------------------------------------

check: lint types contracts migrations docs changelog spelling
ifneq ($(SUITE),no)
check: test
endif

lint: $(VENV)/.installed-check bandit
	@echo "==> ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { \
	  echo "not formatted; make format mends it:" >&2; $(BIN)/ruff format --check . >&2; exit 1; }

BANDIT := $(BIN)/bandit -c pyproject.toml -q -r oauth_accounts example_project

bandit: $(VENV)/.installed-check
	@echo "==> bandit"
	@# It warns of each part of a line with a nosec that has nothing wrong.
	@$(BANDIT) >/dev/null 2>&1 || $(BANDIT)

format: $(VENV)/.installed-check
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

types: $(VENV)/.installed-check
	@echo "==> mypy"
	@$(BIN)/python -m mypy

contracts: $(VENV)/.installed-check
	@echo "==> import contracts"
	@$(BIN)/lint-imports --no-cache

migrations: $(VENV)/.installed-check
	@echo "==> migrations"
	@TEST_DATABASE_NAME=:memory: $(BIN)/python -m django makemigrations \
	  --settings tests.settings --check --dry-run oauth_accounts

docs: $(VENV)/.installed-docs
	@echo "==> documentation"
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

changelog: $(VENV)/.installed-check
	@echo "==> change notes"
	@$(BIN)/towncrier build --draft --version next >/dev/null 2>&1 || \
	  $(BIN)/towncrier build --draft --version next

spelling: $(VENV)/.installed-check
	@echo "==> spelling"
	@$(BIN)/codespell

# ---- the languages ------------------------------------------------------------------

# A language that there is not yet, such as NEW=nl or NEW=pt_BR.
NEW ?=

messages: $(VENV)/.installed-test
	@$(BIN)/python -m tests.languages $(NEW)

# ---- hostile bytes ------------------------------------------------------------------

# Seconds for each target.
FUZZ ?= 15

fuzz: $(VENV)/.installed-fuzz
	@$(BIN)/python -m tests.fuzz --seconds $(FUZZ)

# ---- past one machine ---------------------------------------------------------------

simulate: $(VENV)/.installed-simulate
	@$(BIN)/python -m benchmarks.simulate --docs

clean:
	rm -rf $(VENV) .demo .tox build dist docs/_build htmlcov .coverage* *.egg-info
