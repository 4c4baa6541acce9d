.DEFAULT_GOAL := help
.PHONY: help run dev doctor docs shared fast test thorough chaos security check audit bench bench-quick soak hotspots lock clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Many containers set this variable. With it, each process that the tests start would compile the app anew.
export PYTHONDONTWRITEBYTECODE :=
ORDINARY := not thorough and not chaos and not security
SLOW := browser server api/test_cli.py api/test_document.py streaming/test_properties.py
# Stamps: newer than the requirements once these are installed, so that a second start has nothing to do.
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development

# The versions that are tested come first. Any other: make run PYTHON=python3.15
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3.14 python3)

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: $(RUNTIME) ## start the chat and print its address (PORT and HOST, see .env.example)
	@$(BIN)/reflex run --env prod

dev: $(RUNTIME) ## start it with hot reload
	@$(BIN)/reflex run

doctor: $(RUNTIME) ## say what is wrong with this deployment, if anything
	@$(BIN)/python -m chat_app.doctor

docs: $(RUNTIME) ## make docs/configuration.md and .env.example from chat_app/settings.py
	@$(BIN)/python -m scripts.settings_doc

fast: $(DEVELOPMENT) ## run the tests without a server, a browser, PostgreSQL or very many cases, in under a minute
	@$(BIN)/python -m pytest --numprocesses 3 $(SLOW:%=--ignore tests/%) -m "not server and not postgresql and $(ORDINARY)" $(ARGS)

test: $(DEVELOPMENT) ## run the tests, those in a browser too (ARGS="-k name" for some)
	@$(BIN)/python -m tests.support.chromium
	@$(BIN)/python -m tests.support.postgres
	@$(BIN)/python -m pytest --numprocesses 3 $(ARGS)

thorough: $(DEVELOPMENT) ## run more of what `make test` runs a little of, in a few minutes
	@$(BIN)/python -m tests.support.chromium
	@$(BIN)/python -m tests.support.postgres
	@$(BIN)/python -m pytest --numprocesses 3 -m thorough $(ARGS)

chaos: $(DEVELOPMENT) ## try what always holds in many thousand cases, and kill servers; takes the better part of an hour
	@$(BIN)/python -m pytest -m chaos --timeout 0 -rP $(ARGS)

security: $(DEVELOPMENT) ## attack a really started server: all vectors, long fuzzes; takes the better part of an hour
	@$(BIN)/python -m tests.support.chromium
	@$(BIN)/python -m pytest -m security --timeout 0 $(ARGS)

check: $(DEVELOPMENT) ## lint, format, import contracts, types, known vulnerabilities, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	PATH="$(CURDIR)/$(BIN):$$PATH" PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	@$(MAKE) --no-print-directory audit
	@$(MAKE) --no-print-directory test

audit: $(DEVELOPMENT) ## look up what is pinned for known vulnerabilities (STRICT=1: fail where that cannot be done)
	@$(BIN)/python scripts/audit.py $(if $(STRICT),--strict)

bench: $(DEVELOPMENT) ## measure what a reply costs, also beside other chats, and put the figures into the docs; takes 22 minutes
	@$(BIN)/python -m tests.support.chromium
	@$(BIN)/python -m bench $(ARGS); status=$$?; $(BIN)/python -m bench.report && exit $$status

bench-quick: $(DEVELOPMENT) ## measure a little of everything, in about a minute
	@$(BIN)/python -m tests.support.chromium
	@$(BIN)/python -m bench --quick $(ARGS)

soak: $(DEVELOPMENT) ## let 200 tabs come and go and 20 replies run for 20 minutes, and look at what is left over (ARGS="--minutes 2")
	@$(BIN)/python -m bench.soak $(ARGS)

hotspots: $(DEVELOPMENT) ## show where the server's time goes under load (ARGS=replies or ARGS=followers)
	@$(BIN)/python -m bench.hotspots $(ARGS)

shared: $(RUNTIME) ## write what JavaScript has from Python into assets/shared.js
	@$(BIN)/python -m chat_app.components.shared

lock: $(DEVELOPMENT) ## pin and hash what pyproject.toml asks for (ARGS=--upgrade for newer versions)
	@$(PIP) install --quiet uv==0.13.8
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --group dev --constraints requirements.txt --output-file requirements-dev.txt

LOCK := $(ARGS) --quiet --no-config --universal --generate-hashes --no-annotate \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

clean: ## remove what make and Reflex have made; the data stays
	rm -rf $(VENV) .web .states .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.txt $(BIN)/python
	@echo "Installing what the app needs into $(VENV); this takes about half a minute, once."
	@$(PIP) install --quiet --require-hashes -r $<
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(BIN)/python
	@echo "Installing what the app and its tests need into $(VENV); this takes about a minute, once."
	@$(PIP) install --quiet --require-hashes -r $<
	@touch $(RUNTIME) $@

# ensurepip is asked for beforehand, because Debian splits it off and venv would leave half an environment behind.
$(BIN)/python:
	@for python in $(PYTHONS); do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		if $$python -c 'import ensurepip, venv' 2>/dev/null; then exec $$python -m venv --clear $(VENV); fi; \
		bare=$$python; \
	done; \
	if [ -n "$$bare" ]; then \
		echo "$$bare cannot create environments: install its venv package (on Debian or Ubuntu: apt install $$bare-venv)." >&2; \
	else \
		echo "Python 3.11 or newer is needed; none of these is: $(PYTHONS)." >&2; \
	fi; \
	exit 1
