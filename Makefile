# Every target makes its own set-up: a machine needs Python, git and make, nothing else.
PYTHON ?= python3
PORT ?= 8080
UV := .realframe/uv/bin/uv
BIN := .venv/bin
RUN := env -u VIRTUAL_ENV $(BIN)/realframe
export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test browser lint format up serve run field example pictures agree harmonization settings lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.complete ## Make the environment .venv from uv.lock

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { echo "$(PYTHON) is too old; name another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .realframe/uv || { echo "python3 lacks the venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@.realframe/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

.venv/.complete: pyproject.toml uv.lock | $(UV)
	@echo "setting up .venv: about 3.5 GB, some minutes on first use"
	@env -u VIRTUAL_ENV $(UV) sync --frozen --compile-bytecode --python '>=3.11,<3.13'
	@touch $@

demo: setup ## Render a labelled set, run the whole job on it, and detect clips it never saw
	@$(RUN) demo

test: setup ## Run all tests
	@env -u VIRTUAL_ENV $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(ARGS)

browser: setup ## See that there is a Chromium for the tests in a real browser; without one they are skipped
	@.ci/chromium

lint: setup ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup ## Put the code into its style
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

up: setup ## Start Airflow, MLflow and the metadata store; Ctrl-C stops all of them
	@$(RUN) up --airflow-port $(PORT)

serve: setup ## Serve the web page and the REST API: check files, history, models, review, data, lineage
	@$(RUN) serve $(ARGS)

run: setup ## Run the whole pipeline on your own data: make run ARGS="-S recipe=efficientnetv2b0"
	@$(RUN) run $(ARGS)

field: setup ## Repeat docs/results.md on the field data (REALFRAME_FIELD_DATA, REALFRAME_WEIGHTS_DIR)
	@$(BIN)/python -m bench.field_results $(ARGS)

example: setup ## Write docs/example-report.html anew, from the field data (REALFRAME_FIELD_DATA, REALFRAME_WEIGHTS_DIR)
	@$(BIN)/python -m bench.example_report

pictures: setup ## Write the pictures of the web page in docs/pictures anew, with the demo's media and detector
	@$(BIN)/python -m bench.pictures

agree: setup ## Score a folder by the command and by the API, and print how far they lie apart: make agree ARGS=FOLDER
	@$(BIN)/python -m bench.agreement $(ARGS)

harmonization settings: setup ## Print what each harmonize leaves of the shortcuts in the field data (REALFRAME_FIELD_DATA)
	@$(BIN)/python -m bench.harmonization

lock: $(UV) ## Resolve uv.lock anew after a change of pyproject.toml
	@$(UV) lock

clean: ## Remove caches and what the stages wrote; data/raw, models and runs stay
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .realframe/cache
