# Everything a developer or operator starts. "make help" lists it.
PYTHON ?= python3
SCENARIO ?= coffee-roastery
OUT ?= data/rehearsals
ARGS ?=
RUN := .venv/bin/python -m
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)
LOCK := pip compile --universal --generate-hashes --python-version 3.10

export PYTHONPATH := $(CURDIR)
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up open end verify backup restore export-person erase-person clean-airflow chaos rehearse secrets doctor templates preview gallery test histories bench bench-waits bench-documents lint audit lock clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "PYTHON=python3.12  another Python;  PORT_BASE=18080  other ports;  DATA=folder  another data folder (up, open)"

setup: ## the virtual environment and the locked packages
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.10 to 3.13, or name one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) local/setup.py

setup-dev:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.10 to 3.13, or name one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) local/setup.py --dev

demo: setup ## plays scenarios on a running Airflow and keeps it up: SCENARIO="coffee-roastery path/to/file.yaml"
	@$(RUN) rehearsal demo $(SCENARIO)

up: setup ## the same installation for real use, without players
	@$(RUN) local up

open: setup ## registers an intake form with "make up" and starts its engagement: FILE=form.yaml
	@test -n "$(FILE)" || { echo "Which form? make open FILE=form.yaml" >&2; exit 2; }
	@$(RUN) local.open "$(FILE)"

end: setup ## ends an engagement of "make up" by hand: ID=KHV-2026-0042 REASON="…"
	@test -n "$(ID)" -a -n "$(REASON)" || { echo 'Which, and why? make end ID=KHV-2026-0042 REASON="…"' >&2; exit 2; }
	@$(RUN) local.end "$(ID)" --reason "$(REASON)"

verify: setup ## compares every stored file with the register
	@$(RUN) local.verify

backup: setup ## register, storage and Airflow's database into a folder of backups: OUT=folder ARGS="--keep 30"
	@test "$(origin OUT)" = "command line" || { echo "Where to? make backup OUT=/srv/backups" >&2; exit 2; }
	@$(RUN) local.backup make $(ARGS) "$(OUT)"

restore: setup ## a backup into an installation that is empty and does not run: FROM=folder
	@test -n "$(FROM)" || { echo "Which backup? make restore FROM=/srv/backups" >&2; exit 2; }
	@$(RUN) local.backup restore $(ARGS) "$(FROM)"

export-person: setup ## all that is kept about a person, as a ZIP: EMAIL=a@b.vn TO=file.zip
	@test -n "$(EMAIL)" -a -n "$(TO)" || { echo "Whose, where to? make export-person EMAIL=a@b.vn TO=file.zip" >&2; exit 2; }
	@$(RUN) local.personal_data export $(ARGS) "$(EMAIL)" --to "$(TO)"

erase-person: setup ## erases a person's data on request, after showing what goes: EMAIL=a@b.vn REASON="…" ARGS="--confirm …"
	@test -n "$(EMAIL)" -a -n "$(REASON)" || { echo 'Whose, why? make erase-person EMAIL=a@b.vn REASON="…"' >&2; exit 2; }
	@$(RUN) local.personal_data erase $(ARGS) "$(EMAIL)" --reason "$(REASON)"

clean-airflow: setup ## deletes runs that ended long ago from Airflow, and their logs, never one in flight: ARGS="--dry-run"
	@$(RUN) local.airflow_cleaning $(ARGS)

chaos: setup-dev ## breaks an installation while scenarios are played and judges what came of it: SEED=… OUT=folder ARGS=--quick
	@$(RUN) chaos --out "$(if $(filter command line,$(origin OUT)),$(OUT),data/chaos)" $(if $(SEED),--seed $(SEED)) $(ARGS)

rehearse: setup ## plays scenarios on a fresh installation, checks how they end: SCENARIO=… OUT=folder
	@$(RUN) rehearsal run --out "$(OUT)" $(SCENARIO)

secrets: ## writes the secrets that docker-compose.yaml wants into .env, and leaves those that are there: ENV=another file
	@$(PYTHON) local/secrets_file.py "$(or $(ENV),.env)"

doctor: setup ## what is unsafe or missing in a production installation: ENV=file of its settings, ARGS=--portal for the portal's
	@$(RUN) include.doctor $(ARGS) $(ENV)

templates: setup ## the Word templates with their fields, and what is wrong with them: FILE=one.docx checks one
	@test -n "$(FILE)" || $(RUN) local.templates list
	@$(RUN) local.templates check $(FILE)

preview: setup ## templates filled with sample data, as Word, PDF and PNG: KEY="contract quote.en"
	@$(RUN) local.templates preview $(KEY)

gallery: setup ## pictures of the main documents, for docs/gallery.md
	@$(RUN) local.templates gallery

test: setup-dev ## all tests: ARGS="-k calendar"
	@$(RUN) pytest -n 2 --dist loadfile $(ARGS)

histories: setup-dev ## what finished engagements decided, recorded anew for tests/histories: its changes are decisions
	@$(RUN) tests.histories

bench: setup-dev ## measures how fast the process moves
	@$(RUN) bench

bench-waits: setup-dev ## reaction, CPU and memory with ever more engagements open, beside Airflow's defaults: ARGS="--open 100 1000"
	@$(RUN) bench.scale $(ARGS)

bench-documents: setup-dev ## documents a second of each kind, beside other ways to make them: ARGS="contract quote"
	@$(RUN) bench.documents $(ARGS)

lint: setup-dev ## style and types
	@$(RUN) ruff check .
	@$(RUN) mypy

audit: setup-dev ## secrets in the repository's files, known holes in the locked packages
	@$(RUN) local.audit

lock: setup-dev ## renews requirements.txt and requirements-dev.txt: ARGS=--upgrade
	$(UV) $(LOCK) $(ARGS) pyproject.toml -o requirements.txt
	$(UV) $(LOCK) $(ARGS) --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean: ## removes the virtual environment, caches and what demos left; keeps data/up
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@test ! -d data || find data -mindepth 1 -maxdepth 1 ! -name up -exec rm -rf {} +
	@find . -name __pycache__ -not -path "./data/*" -prune -exec rm -rf {} +
