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

demo: setup  ## a keypoint readout from 50 labels, a clip that it predicts, images that a depth readout guides
	$(BIN)/gensight train demo --out $(RUN)
	test -d $(RUN)-clips || $(BIN)/gensight datasets write puppets --format videos --style clean --num 48 \
	--size 256x256 --seed 12 --out $(RUN)-clips
	$(BIN)/gensight predict $(RUN) $(RUN)-clips/scene-0000.mp4 --boxes $(RUN)-clips/boxes.json \
	--out $(RUN)-predicted
	$(BIN)/gensight train guide-depth data.num_train=120 data.num_validation=8 data.num_test=16 training.steps=200 \
	training.validate_every=200 --out $(RUN)-depth
	$(BIN)/gensight guide $(RUN)-depth --prompt "a zebra standing, on grass" --control docs/guidance/horse.png \
	--size 128x128 --seeds 0-3 --batch 4 --steps 30 --weight 0.05 --share 0.8 --no-film --out $(RUN)-guided
	@echo "report: $(RUN)/report.html   clip: $(RUN)-predicted/overlay.mp4   guided images: $(RUN)-guided"

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
