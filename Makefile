# Needs Python 3.11 or newer and make. `make` alone lists the targets.
# Another interpreter: `make demo PYTHON=python3.13`. For pytest: `make test ARGS="-k units -x"`.

PYTHON ?= python3
ARGS   ?= --numprocesses auto --maxprocesses 8
VENV   := .venv
FLAGGED := $(addprefix tests/,linalg sparse $(addprefix test_,$(addsuffix .py,chunks mesh many_blocks numbers products hessian gradients)))
BIN    := $(VENV)/bin
# The stamp of an environment has the version of its Python in its name. Where another Python is
# asked for, there is no such stamp, and it is made anew; where none is, what is there will do.
VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
MADE   := $(or $(if $(filter file,$(origin PYTHON)),$(firstword $(wildcard $(VENV)/.made*))),$(VENV)/.made-$(VERSION))

# The demo is a table of a few numbers, the tests compare to the last digit: both belong on the CPU.
JAX_PLATFORMS ?= cpu
export JAX_PLATFORMS
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test flags lowest newest brainunit package check format bench notebooks clean
.DELETE_ON_ERROR:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.has-package ## Install, and print the sensitivities of the Hodgkin-Huxley membrane
	@$(BIN)/unitjac sensitivity hodgkin-huxley

test: $(VENV)/.has-test ## Install with the test extra, and run the tests
	$(BIN)/python -m pytest $(ARGS)

flags: $(VENV)/.has-test ## Run the tests of transforms and linalg under JAX's flags of promotion
	UNITJAC_FLAGS=rank,dtype $(BIN)/python -m pytest $(ARGS) $(FLAGGED)

lowest: $(VENV)/.has-ci ## Run the tests with the oldest versions that pyproject.toml allows
	$(BIN)/nox --session lowest -- $(ARGS)

newest: $(VENV)/.has-ci ## Run the tests with the newest Python and the newest versions
	$(BIN)/nox --session newest -- $(ARGS)

brainunit: $(VENV)/.has-ci ## Run the tests of units with the releases of brainunit in between
	$(BIN)/nox --session brainunit -- $(ARGS)

package: $(VENV)/.has-ci ## Build the wheel and the sdist, and try them in an empty environment
	$(BIN)/nox --session package

check: $(VENV)/.has-dev ## Run the linter, the formatter (without writing) and the type checker
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

format: $(VENV)/.has-dev ## Sort the imports and format the code
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: $(VENV)/.has-brainstate ## Measure against jax.jacrev on bare arrays
	$(BIN)/python -m benchmarks

notebooks: $(VENV)/.has-notebook ## Run the notebooks, and save them with their outputs
	$(BIN)/jupyter-execute --inplace --NotebookClient.record_timing=False notebooks/*.ipynb

clean: ## Remove .venv, caches and build results
	rm -rf $(VENV) .nox dist build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: an environment is made once, and installed into again only when pyproject.toml changed.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("unitjac needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.13 ...")'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.has-package: pyproject.toml $(MADE)
	@echo "Installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.has-%: pyproject.toml $(MADE)
	@echo "Installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@
