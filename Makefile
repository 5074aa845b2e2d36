# Every target sets up what it needs: the machine needs Python, git and make only.
PYTHON ?= python3
PYTHON312 ?= $(shell for python in python3.12 $$HOME/.pyenv/versions/3.12.*/bin/python3.12; do $$python -c '' 2>/dev/null && { echo $$python; break; }; done)
PORT ?= 8080
UV := .realframe/uv/bin/uv
BIN := .venv/bin
RUN := env -u VIRTUAL_ENV $(BIN)/realframe
export TF_CPP_MIN_LOG_LEVEL ?= 2
# Keep compiled modules, also where the machine forbids it: else each process compiles the package and the tests again.
export PYTHONDONTWRITEBYTECODE :=

# A company's network may present certificates of its own: pip and uv take those that the system trusts.
CERTIFICATES := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem))
export UV_SYSTEM_CERTS ?= true
ifneq ($(CERTIFICATES),)
export PIP_CERT ?= $(CERTIFICATES)
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo notebooks check test test-slow settings browser lint format up serve run field example pictures agree harmonization lock pythons dist size licences clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: .venv/.complete ## Make the environment .venv from uv.lock

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { echo "$(PYTHON) is too old; name another one: make PYTHON=python3.12"; exit 1; }
	@mkdir -p -m 700 .realframe
	@$(PYTHON) -m venv .realframe/uv || { echo "python3 lacks the venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@.realframe/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

.venv/.complete: pyproject.toml uv.lock | $(UV)
	@echo "creating .venv: about 3.5 GB, some minutes on first use"
	@env -u VIRTUAL_ENV $(UV) sync --frozen --compile-bytecode --python '>=3.11,<3.13'
	@touch $@

demo: setup ## Render a labeled dataset, run the whole pipeline on it, and score clips that it has not seen
	@$(RUN) demo

check: lint ## The edit loop: lint, types, and the quick tests that need no training, server or browser
	@env -u VIRTUAL_ENV $(BIN)/python -m pytest -p no:schemathesis -n 2 --dist loadfile -m "not training and not server and not browser and not slow" $(ARGS)

test: setup ## Run all tests but those of the whole platform
	@env -u VIRTUAL_ENV $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not end_to_end" $(ARGS)

test-slow: setup ## Run the tests of the whole platform, from raw media to champion, with live services
	@env -u VIRTUAL_ENV $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m end_to_end $(ARGS)

browser: setup ## Make sure that Chromium is installed for the browser tests; without it they are skipped
	@.ci/chromium

lint: setup ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

up: setup ## Start Airflow, MLflow and the metadata store; Ctrl-C stops all of them
	@$(RUN) up --airflow-port $(PORT)

serve: setup ## Serve the web pages and the REST API
	@$(RUN) serve $(ARGS)

run: setup ## Run the whole pipeline on your own data: make run ARGS="-S recipe=efficientnetv2b0"
	@$(RUN) run $(ARGS)

field: setup ## Repeat docs/results.md on the field data (REALFRAME_FIELD_DATA, REALFRAME_FIELD_SOURCES, REALFRAME_WEIGHTS_DIR)
	@$(BIN)/python -m bench.field_results $(ARGS)

example: setup ## Write docs/example-report.html again, from the field data (REALFRAME_FIELD_DATA, REALFRAME_WEIGHTS_DIR)
	@$(BIN)/python -m bench.example_report

pictures: setup ## Take the screenshots in docs/pictures again, with the demo's media and detector
	@$(BIN)/python -m bench.pictures

agree: setup ## Score a folder by the command and by the API, and print the differences: make agree ARGS=FOLDER
	@$(BIN)/python -m bench.agreement $(ARGS)

harmonization: setup ## Print how much each harmonization setting reduces the shortcuts in the field data (REALFRAME_FIELD_DATA)
	@$(BIN)/python -m bench.harmonization

notebooks: setup ## Open the notebooks in JupyterLab, which is installed on first use (50 MB)
	@env -u VIRTUAL_ENV $(UV) sync --quiet --frozen --inexact --compile-bytecode --group notebooks
	@env -u VIRTUAL_ENV $(BIN)/jupyter lab --notebook-dir=notebooks $(ARGS)

settings: setup ## Write docs/settings.md from the settings of the code
	@$(BIN)/python -m bench.settings_page

pythons: $(UV) ## Run the quick tests with Python 3.12 too, where it is installed
	@if [ -n "$(PYTHON312)" ]; then \
		UV_PROJECT_ENVIRONMENT=.realframe/python3.12 env -u VIRTUAL_ENV $(UV) sync --frozen --compile-bytecode --no-python-downloads --python "$(PYTHON312)" && \
		env -u VIRTUAL_ENV .realframe/python3.12/bin/python -m pytest -p no:schemathesis -n 2 --dist loadfile -m "not training and not server and not browser and not slow" $(ARGS); \
	else echo "Python 3.12 is not installed: nothing was tested with it"; fi

dist: $(UV) ## Build the wheels of realframe and of realframe-detect, and the source archive, into dist/
	@env -u VIRTUAL_ENV $(UV) build --quiet --out-dir dist .
	@env -u VIRTUAL_ENV $(UV) build --quiet --wheel --out-dir dist packaging/detect
	@ls dist

size: setup ## Print the installed size of realframe and of realframe-detect
	@$(BIN)/python -m bench.installed_size

licences: setup ## Write the tables of docs/licences.md from uv.lock and the installed packages
	@$(BIN)/python -m bench.licences

lock: $(UV) ## Resolve uv.lock again after a change of pyproject.toml
	@$(UV) lock

clean: ## Delete caches and the outputs of the stages; data/raw, models and runs stay
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .realframe/cache
