.DEFAULT_GOAL := help
PYTHON ?= python3
KAFKA_PORT ?= 9092
REGISTRY_PORT ?= 8081
TESTS_AT_ONCE ?= 2
SECONDS ?= 600
BIN := .venv/bin
PROFILE ?= demo
COMPOSE = PROFILE=$(PROFILE) docker compose -f deploy/compose.yaml --profile $(PROFILE)

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/dev ## .venv with everything for development

demo: .venv/runtime ## the whole system on this machine, live (Ctrl-C stops it)
	@[ ! -t 0 ] || set -m; $(BIN)/cxone-streams demo # on a terminal, Ctrl-C is for the demo alone: make would report an error

stage: .venv/dev ## the files of a new stage (NAME=skills READS=cxone.interactions.completed LIKE=rows|eager|...)
	$(BIN)/python scaffold/stage.py --name "$(NAME)" --reads "$(READS)" --like "$(LIKE)"

test: .venv/dev ## all tests, two at a time, fast ones first; those on a real Kafka where Java and Maven are installed
	$(BIN)/pytest -n $(TESTS_AT_ONCE) --dist loadfile --no-loadscope-reorder

lint: .venv/dev ## ruff and the import contracts
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: .venv/dev ## mypy --strict
	$(BIN)/mypy

faults: .venv/dev .venv/fuzz/bin/schemathesis ## 100,000 broken frames, 10,000 requests; storms of kills, freezes and outages on a real Kafka (three quarters of an hour)
	FUZZ_FRAMES=100000 $(BIN)/pytest -rP tests/streams/stages/test_frames_fuzz.py
	FUZZ_REQUESTS=10000 FUZZ_BIN=$(CURDIR)/.venv/fuzz/bin $(BIN)/pytest -rP tests/connectors/ingress/webhooks/test_fuzz.py
	$(BIN)/pytest -rP tests/kafka/storms/*.py

attack: .venv/dev ## hostile peers at every client and every way in, 10 minutes (SECONDS=180 for three, SEED=2 for others)
	$(BIN)/python -m tests.attack $(SECONDS) $(ARGS)

alerts: .venv/dev ## a fault for each alert rule, on a real Kafka and Prometheus: does it fire, and end (8 minutes)
	$(BIN)/python -m tests.alerts

kafka: ## start a real Kafka on 127.0.0.1:9092 (KAFKA_PORT=... for another port)
	$(PYTHON) deploy/local/kafka/broker.py start --port $(KAFKA_PORT)

kafka-down: ## stop it; its data stays in .kafka/
	$(PYTHON) deploy/local/kafka/broker.py stop --port $(KAFKA_PORT)

registry: ## start a schema registry on 127.0.0.1:8081 (REGISTRY_PORT=... for another port)
	$(PYTHON) deploy/local/registry/registry.py start --port $(REGISTRY_PORT)

registry-down: ## stop it; it forgets everything
	$(PYTHON) deploy/local/registry/registry.py stop --port $(REGISTRY_PORT)

up: ## the whole system in containers, on Redpanda (PROFILE=cxone for your tenant instead of the simulator)
	@$(PYTHON) deploy/make_env.py
	$(COMPOSE) up -d --build --wait
	@$(MAKE) -s urls

down: ## stop it; its data stays in volumes (ARGS=-v deletes them)
	$(COMPOSE) down $(ARGS)

logs: ## follow what it logs (STAGE=crm for one of them)
	$(COMPOSE) logs -f $(STAGE)

ps: ## what of it runs
	$(COMPOSE) ps

topics: ## compare its topics with what is declared
	$(COMPOSE) run --rm topics topics check

scale: ## run N workers of a stage (STAGE=percentiles N=3)
	$(COMPOSE) up -d --no-recreate --scale "$(STAGE)=$(N)" "$(STAGE)"

urls: ## where to look at it
	@$(PYTHON) deploy/urls.py

influxd: ## build a real InfluxDB 2.7 for its tests (minutes the first time)
	deploy/local/influxd/build.sh

bench: .venv/dev ## throughput beside stock Faust and other stream processors, and cold starts (ARGS="--events 50000" for a quick one)
	$(BIN)/python -m benchmarks $(ARGS)

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

# Nothing is built from what is downloaded, but our own package, with a setuptools whose hash is known.
PIP := $(BIN)/pip install -q --disable-pip-version-check
LOCKED := $(PIP) --only-binary :all: --require-hashes
COMPILED := schemas/_usual streams/runtime/driver/_records
NOT_COMPILED := $(COMPILED:=.c) are not compiled (they need a C compiler and Python.h): everything works, and takes more \
	CPU. When both are there: touch $(COMPILED:=.c) && make install

.venv/runtime: requirements-build.lock requirements.lock pyproject.toml $(COMPILED:=.c) | .venv/bin/python
	@echo 'Installing what cxone-streams needs into .venv (half a minute) ...'
	@$(LOCKED) -r requirements-build.lock
	@$(LOCKED) -r requirements.lock
	@rm -f $(COMPILED:=.*.so) # of the source as it was: where none can be built now, it must not stay
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'import schemas._usual, streams.runtime.driver._records' 2>/dev/null || echo '$(NOT_COMPILED)'
	@touch $@

.venv/dev: requirements-dev.lock .venv/runtime
	@echo 'Installing what its development needs, too ...'
	@$(LOCKED) -r requirements-dev.lock && touch $@
	@echo 'Done: . .venv/bin/activate && cxone-streams --help'

.venv/fuzz/bin/schemathesis: requirements-fuzz.lock | .venv/bin/python # apart: nothing else needs what it brings
	@$(PYTHON) -m venv .venv/fuzz
	@.venv/fuzz/bin/pip install -q --disable-pip-version-check --only-binary :all: --require-hashes -r $< && touch $@

.PHONY: help install demo stage test lint types faults attack alerts kafka kafka-down registry registry-down up down logs ps topics scale urls influxd bench
