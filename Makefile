# querysvc: `make demo` shows it, `make test` is what CI runs, `make check` before every commit.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := .tools/bin
export PATH := $(CURDIR)/$(TOOLS):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install dev demo serve check lint format test tools benchmarks conformance \
        conformance-live conformance-data spark superset terraform grafana clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# The virtual environment, made again when the dependencies change; uv installs it in seconds.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "querysvc needs Python 3.11 or newer, found $$($(PYTHON) --version). Try: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(VENV) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/uv pip install --quiet --python $(VENV) --editable '.[demo,postgres,flightsql]' --group dev --group clients
	$(BIN)/uv pip check --quiet --python $(VENV)
	@touch $@

install: $(VENV)/.installed  ## Create the virtual environment and install querysvc into it

dev: $(VENV)/.dev  ## And what developing and testing need

demo: install  ## Real data in an embedded S3, five queries, then a running service (ONCE=1 ends)
	$(BIN)/querysvc demo $(if $(ONCE),--once)

serve: install  ## Run the service with the settings of querysvc.toml or QUERYSVC_… variables
	$(BIN)/querysvc serve

check: lint  ## Format, lint, types, import rules, unit tests: under a minute
	$(BIN)/pytest -q -n 2 -m 'not slow' tests/unit tests/architecture

lint: dev  ## Format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: dev  ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

tools: dev  ## Install what the tests need beside Python: versitygw, PostgreSQL
	@sh tests/install-tools.sh

test: lint tools  ## All that CI runs
	$(BIN)/pytest -q -n 2 --dist loadgroup --durations 15 tests

benchmarks: tools  ## Every benchmark; results go to benchmarks/results/
	$(BIN)/uv pip install --quiet --python $(VENV) --group benchmarks
	@for script in $(filter-out benchmarks/support.py benchmarks/peers.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

conformance: tools  ## Pass rates of a file in the oracle's form, over REST: FILE=cases.jsonl
	$(BIN)/python -m tests.support.conformance --service $(or $(FILE),tests/conformance/data/visible.jsonl)

conformance-live: dev  ## Generated statements against a live Trino: TRINO=http://… SEED=1 EACH=5
	$(BIN)/python -m tests.support.fuzz.live --url $(or $(TRINO),http://127.0.0.1:18090) \
	  --seed $(or $(SEED),1) --each $(or $(EACH),5)

spark: dev tools  ## The guide for Spark with a real Spark (450 MB of downloads)
	@test -d .tools/spark/lib || $(PYTHON) -m venv .tools/spark
	$(BIN)/uv pip install --quiet --python .tools/spark pyspark==3.5.6
	$(BIN)/python -m tests.support.spark_guide $(CURDIR)/.tools/spark/bin/python

terraform: dev tools  ## The guide for Terraform with OpenTofu and the AWS provider (some minutes of compiling)
	$(BIN)/python -m tests.support.terraform_build .tools/terraform
	$(BIN)/python -m tests.support.terraform_guide .tools/terraform

grafana: dev tools  ## The guide for Grafana with its Athena plugin: PLUGIN=<checkout of athena-datasource>
	$(BIN)/python -m tests.support.grafana_guide $(PLUGIN)

superset: install  ## Apache Superset charting the demonstration's data over two wires (1 GB of downloads)
	@sh drivers/superset/run.sh

conformance-data: dev  ## Register TPC-H tiny in a running service: SERVER=… S3=…
	$(BIN)/python -m tests.support.conformance_data --server $(or $(SERVER),http://127.0.0.1:8080) \
	  $(if $(S3),--s3-endpoint $(S3))

clean:  ## Remove what was built; keeps nothing of .venv, .tools and .demo
	rm -rf $(VENV) .tools .demo .mypy_cache .ruff_cache .pytest_cache
