# Sets up and starts the course. README.md says how to do without make.

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
READY := .venv/.ready

# PyTorch's wheels for Linux bring libraries for GPUs, three quarters of the whole; TORCH=cpu leaves them out.
SIZE := $(if $(filter Linux,$(shell uname -s)),$(if $(filter cpu,$(TORCH)),2,6.5),2)
# The column before the one in per cent; nothing where df answers otherwise than POSIX has it.
FREE_GB = df -Pk . | LC_ALL=C awk 'NR == 2 {for (i = 2; i <= NF; i++) if ($$i ~ /^[0-9]+%$$/) printf "%.1f", $$(i - 1) / 1048576}'
SMALLER := $(if $(filter 6.5,$(SIZE)), Without libraries for GPUs 2 GB are enough: add TORCH=cpu)

.DEFAULT_GOAL := help
.PHONY: help lab run reset test quick outputs clean again

help:  ## this list
	@echo "The first target that needs it sets up .venv (TORCH=cpu: without GPU libraries; PYTHON=... names a Python)."
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

lab: $(READY)  ## open your copies of the lessons, in my/, in JupyterLab  (ARGS="--port 9000")
	@$(PY) -m course_utils.lessons lab $(ARGS)

run: $(READY)  ## execute one lesson without a browser: make run LESSON=01
	@$(PY) -m course_utils.lessons run $(LESSON)

reset: $(READY)  ## start one lesson afresh and keep your old copy: make reset LESSON=01
	@$(PY) -m course_utils.lessons reset $(LESSON)

test: $(READY)  ## all tests, or those of one lesson: make test LESSON=03
	@$(PY) -m tests $(if $(LESSON),--lesson $(LESSON))

quick: $(READY)  ## the tests that need no training, about seven minutes
	@$(PY) -m tests --quick

outputs: $(READY)  ## execute the lessons and store their outputs in notebooks/  (LESSON=01 for one)
	@$(PY) -m course_utils.lessons outputs $(LESSON)

clean:  ## remove .venv, build/ and caches, but never my/
	rm -rf .venv build mutants .pytest_cache .ruff_cache .hypothesis .coverage* *.egg-info
	find . -path ./my -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

ifneq (,$(filter run reset,$(MAKECMDGOALS)))
ifndef LESSON
$(error Which lesson? For example: make $(firstword $(MAKECMDGOALS)) LESSON=01)
endif
endif

# The package is installed by its path: where the folder was moved, or .venv lost its Python, set up again.
ifneq "$(shell $(PY) -c '' 2>/dev/null && cat $(READY))" "$(CURDIR)"
$(READY): again
endif

# The stamp comes last, so that a set-up that was cut off starts from nothing and a finished one is only updated.
$(READY): requirements.txt constraints.txt pyproject.toml
	@if [ -e $(READY) ] && $(PY) -c ''; then \
	    echo "1/3 keeping .venv"; \
	else \
	    have=$$("$(PYTHON)" --version 2>&1) || have="not there"; \
	    "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>&- || { \
	        echo "The course needs Python 3.11 or newer, and $(PYTHON) is $$have."; \
	        echo "Name another one, for example: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }; \
	    free=$$($(FREE_GB)); \
	    awk "BEGIN {exit ($${free:-$(SIZE)} < $(SIZE))}" || { \
	        echo "The course needs $(SIZE) GB, and the disk of this folder has $$free GB left."; \
	        echo "Make room, or move the folder to another disk.$(SMALLER)"; exit 1; }; \
	    echo "1/3 making .venv with $$have"; \
	    "$(PYTHON)" -m venv --clear .venv || { \
	        echo "1/3 failed. On Debian and Ubuntu, venv is a package: sudo apt install python3-venv"; exit 1; }; \
	fi
ifeq "$(TORCH)" "cpu"
	@echo "2/3 installing PyTorch without libraries for GPUs"
	@$(PIP) install --no-deps --index-url https://download.pytorch.org/whl/cpu \
	    $$(sed -n 's/^torch.*==.*/&+cpu/p' requirements.txt) || { \
	    echo "2/3 failed: TORCH=cpu needs https://download.pytorch.org, on Linux or Windows."; \
	    echo "Where that is out of reach, and on macOS, leave TORCH=cpu out."; exit 1; }
endif
	@echo "2/3 installing what is missing (about $(SIZE) GB and some minutes for a new .venv)"
	@$(PIP) install -r requirements.txt || { \
	    echo "2/3 failed. Is there a network, and room for $(SIZE) GB? Then try again: downloads are kept."; \
	    echo "A package with no version for your Python: make clean, then name another with PYTHON=python3.13"; \
	    exit 1; }
	@echo "3/3 installing the course itself"
	@$(PIP) install --no-deps --no-build-isolation -e . || { \
	    echo "3/3 failed. Try: make clean, then again."; exit 1; }
	@pwd -P > $(READY)
