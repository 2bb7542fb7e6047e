# make repro: set up and run the whole loop. make test: set up and test. The rest is listed by `make help`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
# An installer of vLLM for the CPU, for `make test-vllm`; VLLM_CPU=folder names another.
VLLM_CPU ?= $(wildcard ../shared/vllm-cpu)
VLLM_VENV := .venv-vllm
VLLM_READY := $(VLLM_VENV)/.ready
TRAINERS := .venv-trainers
# Published data sets for `make real`, bench and some tests; MATHSE_DATA names another folder.
DATA ?= $(or $(MATHSE_DATA),$(wildcard ../shared/data))
export PATH := $(abspath $(BIN)):$(PATH)
export DVC_NO_ANALYTICS := 1
export TOKENIZERS_PARALLELISM := false
# Each stage is a process or more: without compiled modules each takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

RATES ?= 2.5e-4 5e-4 1e-3
SAMPLES ?= 2 4

.PHONY: help sweep experiments paper repro show control test test-vllm test-trainers check quick smoke real tiny-base measure-teacher bench bench-answers bench-curate results pictures clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 16

# A pip of today chooses the packages in half the time. While one process installs, or compiles the
# modules of a stage, the other compiles those of torch, or of DVC and the report.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install -q --no-compile --disable-pip-version-check -c constraints.txt

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) pip || true
	$(PIP) setuptools torch
	$(BIN)/python -c "import torch._dynamo" 2>/dev/null & $(PIP) --no-build-isolation -e . && wait
	$(BIN)/python -c "import dvc.cli, stages.report" & \
	$(BIN)/python -c "import mathse.engines.transformers_engine, mathse.training.train_loop" && wait
	touch $@

# What tests, checks and a teacher over HTTP need beside it.
$(TOOLS): $(READY)
	$(PIP) --no-build-isolation -e '.[dev]'
	touch $@

repro: $(READY)  ## run or resume the rounds of params.yaml, then show the result
	dvc repro
	mathse show

show: $(READY)  ## show what the rounds brought
	mathse show

control: $(READY)  ## spend the rounds' steps without the loop: on r0's rows, the teacher's solutions, the ORM's problems
	mathse profile control
	dvc repro
	mathse show

test: $(TOOLS)  ## run the tests
	pytest -q -n 2 --dist loadgroup --no-loadscope-reorder

ifeq ($(wildcard $(VLLM_CPU)/install),)
test-vllm:  ## run the tests with a real vLLM on the CPU and with Ray, in an environment of their own
	@echo "SKIPPED: vllm = transformers, replicas, the true classes, openai against vllm serve, Ray, a round with vllm."
	@echo "Why: no VLLM_CPU/install. On a machine with a GPU: pip install -c constraints-vllm.txt -e '.[dev,ray,vllm]'; pytest tests/vllm tests/engines/test_ray_pool.py"
else
$(VLLM_READY): pyproject.toml constraints-vllm.txt
	$(VLLM_CPU)/install $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install -q --disable-pip-version-check -c constraints-vllm.txt -e '.[dev,ray]'
	touch $@

test-vllm: $(VLLM_READY)
	PATH="$(abspath $(VLLM_VENV)/bin):$$PATH" $(VLLM_VENV)/bin/python -m pytest -q tests/vllm tests/engines/test_ray_pool.py
endif

# torchaudio, which LLaMA-Factory imports for sound, is an empty module here.
$(TRAINERS)/.ready: $(TOOLS) tests/trainers/requirements.txt
	$(BIN)/python -m venv $(TRAINERS)
	$(TRAINERS)/bin/python -m pip install -q --disable-pip-version-check --no-deps -r tests/trainers/requirements.txt
	site=$$($(TRAINERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$site/mathse.pth && : > $$site/torchaudio.py
	touch $@

test-trainers: $(TRAINERS)/.ready  ## read exports with the loaders of LLaMA-Factory, ms-swift and TRL
	MATHSE_TRAINERS=$(abspath $(TRAINERS))/bin/python pytest -q tests/trainers

check: $(TOOLS)  ## lint and types
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache

quick: $(READY)  ## a whole loop on few problems, in a copy, with the oracle as teacher
	mathse profile quick --copy build/quick
	cd build/quick && mathse profile oracle && dvc repro && mathse show

smoke: $(READY)  ## the whole pipeline on very little, in a copy, with the oracle as teacher
	mathse profile smoke --copy build/smoke
	cd build/smoke && mathse profile oracle && dvc repro && mathse show

real: $(TOOLS)  ## TabMWP and MATH-Vision through the loop with a teacher over HTTP: make real DATA=folder-with-tabmwp-and-math-v
	@test -d "$(DATA)/tabmwp" || { echo "No data: make real DATA=folder with tabmwp and math-v"; exit 1; }
	mathse profile real --copy build/real
	mathse --project build/real import tabmwp $(DATA)/tabmwp
	mathse --project build/real import math-vision $(DATA)/math-v
	python -m tests.servers.data_set_teacher --tables build/real/data/import/tabmwp --project build/real -- dvc repro
	cd build/real && mathse show

sweep: $(READY)  ## learning rate x samples through the DVC queue: make sweep RATES="2e-4 5e-4" SAMPLES="2 4"
	@for rate in $(RATES); do for samples in $(SAMPLES); do \
	  dvc exp run --queue $(addprefix --copy-paths ,$(wildcard machine.yaml)) -n lr-$$rate-samples-$$samples \
	    -S finetune.learning_rate=$$rate -S generate.samples=$$samples -S generate.hard_samples=$$samples; done; done
	dvc exp run --run-all
	$(MAKE) experiments

experiments: $(READY)  ## what experiments changed and what they brought, in a few columns
	dvc exp show --no-pager --md --only-changed --keep '^eval(_hard)?(_gain)?$$' \
	  --drop '(Created|State|Executor|generate.hard_samples|(code|data|mathse|metrics|models|schemas|stages)(/.*)?)$$'

paper: $(READY)  ## the paper's claims as experiments on the embedded models: hours, resumes
	python -m recipes.paper.run; status=$$?; python -m recipes.paper.tables && \
	python -m recipes.documents.blocks && exit $$status

tiny-base: $(READY)  ## make the embedded base model again (about three hours; resumes)
	python -m recipes.tiny_base.pretrain models/tiny-base
	python -m recipes.tiny_base.measure models/tiny-base

measure-teacher: $(READY)  ## how often the embedded teacher is right (minutes)
	python -m recipes.tiny_teacher.measure models/tiny-teacher

# Where there is an installer of vLLM for the CPU, all contenders run in its environment.
BENCH_READY := $(if $(wildcard $(VLLM_CPU)/install),$(VLLM_READY),$(READY))
BENCH_PYTHON := $(dir $(BENCH_READY))bin/python
TRL := trl|datasets|dill|multiprocess|pandas|pyarrow|xxhash

bench: $(BENCH_READY)  ## generation, training and judge beside generate, pipeline, vLLM and TRL: make bench OPTIONS="--repeats 5"
	grep -E '^($(TRL))==' tests/trainers/requirements.txt | xargs $(BENCH_PYTHON) -m pip install -q --disable-pip-version-check --no-deps
	$(BENCH_PYTHON) -m bench.speed $(OPTIONS)

bench-answers: $(READY)  ## the answer checker against known verdicts and Math-Verify
	python -m bench.answers sets
	python -m bench.answers speed

bench-curate: $(READY)  ## merge of 10 million trajectories beside pandas and datasets, and imports of many problems
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[bench]'
	python -m bench.curate
	python -m bench.import_memory

results: $(READY)  ## write results/default-*.json from the run, and every table of the documents
	python -m recipes.documents.results
	python -m recipes.documents.seeds
	python -m recipes.documents.blocks

pictures: $(READY)  ## draw docs/images from the run and from results/, with screenshots of its report
	python -m recipes.documents.pictures
	python -m recipes.documents.screenshots

clean:  ## remove what tests and copies leave behind
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
