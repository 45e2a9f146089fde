# Everything happens in .venv, which `make` creates; PYTHON=python3.12 takes another interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export SCIPY_ARRAY_API = 1

.PHONY: demo test lint docs clean

demo: $(VENV)/ready
	MPLBACKEND=agg $(BIN)/python docs/examples/plot_pca_or_autoencoder.py

test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell skae tests benchmarks docs README.md
	$(BIN)/mypy skae
	$(BIN)/lint-imports

docs: $(VENV)/ready
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build

clean:
	rm -rf $(VENV) docs/_build docs/api docs/auto_examples

$(VENV)/ready: pyproject.toml .ci/constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "skae needs Python 3.11 or later"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c .ci/constraints.txt \
		-e '.[plot,progress,frames,test,lint,docs]'
	touch $@
