PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/demo

.PHONY: setup demo test test-portable test-slow lint bench

setup: $(VENV)/.installed

# Modules are compiled when they are first used: compiling all of them would take longer than all else.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: setup  ## train and score a keypoint readout on the built-in data set; ends with the path of a report
	$(BIN)/gensight train demo --out $(RUN)

test: setup  ## all tests that fit into minutes
	$(BIN)/python -m pytest --numprocesses 2

PORTABLE := default:SSE41 avx2:AVX2

test-portable: setup  ## all tests with the instruction sets of older processors: those of PyTorch, then of oneDNN
	@failed=; for sets in $(PORTABLE); do echo "== ATEN_CPU_CAPABILITY=$${sets%:*} ONEDNN_MAX_CPU_ISA=$${sets#*:}"; \
	ATEN_CPU_CAPABILITY=$${sets%:*} ONEDNN_MAX_CPU_ISA=$${sets#*:} $(BIN)/python -m pytest --numprocesses 2 \
	|| failed="$$failed $$sets"; done; if [ -n "$$failed" ]; then echo "failed under:$$failed"; exit 1; fi

test-slow: setup  ## full-size pipelines with random weights, long trainings
	$(BIN)/python -m pytest -m slow -s

lint: setup  ## style, format, types, layers, words
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_words.py

bench: setup  ## speed and memory, each as a ratio to a named alternative in the same run
	@missed=; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || missed="$$missed $$script"; done; \
	if [ -n "$$missed" ]; then echo "missed a target, or failed:$$missed"; exit 1; fi
