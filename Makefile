# Everything that a developer or a visitor types. `make help` is made from the comments behind `##`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPARISONS := train_vs_trl share_of_peak score_vs_lm_eval extract_vs_generate encode_vs_trainer study_vs_script cli_start

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix bench bench-gpu docs clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 11

setup: $(STAMP)  ## make .venv with textune and its tools

$(STAMP): pyproject.toml constraints.txt
	@echo "setting up $(VENV) (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'torch==2.13.0'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: setup  ## a small real study on the CPU: a table, a report page, a model to try
	@$(BIN)/textune study studies/demo.yaml
	@$(BIN)/textune report runs/demo
	@$(BIN)/textune fit runs/demo

test: setup  ## all tests (two processes, each with one thread)
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: setup  ## lint, format, types, import contracts: what CI asks besides the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy src
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports

fix: setup  ## let ruff mend format and what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup  ## one table, the peer beside us (hours; needs data and packages, see benchmarks/)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@for name in $(COMPARISONS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done
	@$(BIN)/python benchmarks/table.py

bench-gpu: setup  ## the targets of an accelerator, on random weights (needs data, packages and 20 GB of disk)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@for shape in 7b 1b; do $(BIN)/python benchmarks/random_model.py build/$$shape --shape $$shape || exit 1; done
	@$(BIN)/python benchmarks/train_vs_trl.py --model build/7b --instructions short
	@$(BIN)/python benchmarks/train_vs_trl.py --model build/7b --instructions short --quantisation nf4
	@$(BIN)/python benchmarks/share_of_peak.py --model build/7b
	@$(BIN)/python benchmarks/folds_side_by_side.py
	@$(BIN)/python benchmarks/folds_side_by_side.py --model build/1b
	@$(BIN)/python benchmarks/table.py

docs: setup  ## run every code block of README and docs
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/docs

clean:  ## remove what the commands above made, but no results
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
