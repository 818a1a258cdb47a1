# tsgu: everything a developer runs. `make help` lists it.

SHELL   := /bin/bash
# The version of torch; another than the first has an environment and a build of its own.
TORCH   ?= 2.13.0
OTHER   := $(filter-out 2.13.0,$(TORCH))
BUILD   ?= build$(OTHER:%=-torch-%)
JOBS    ?= $(shell nproc)
BENCH   ?= full
VENV    := .venv$(OTHER:%=-%)
PYTHON  := $(CURDIR)/$(VENV)/bin/python
STAMP   := $(VENV)/.installed
CXX_SOURCES = git ls-files '*.cpp' '*.h'
export PYTHONPATH := $(CURDIR)/python
export TSGU_LIBRARY_DIR := $(abspath $(BUILD))/lib

.DEFAULT_GOAL := build
.PHONY: help setup build demo gallery test test-long sanitize bench gpu-report gpu-bundle lint tidy docs site format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## system packages and .venv (apt and pip; once)

$(STAMP): requirements.txt scripts/setup.sh
	scripts/setup.sh $(VENV) $(TORCH)
	@touch $@

build: setup ## libraries into build/lib, tools into build/bin
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release \
	  -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DPython3_EXECUTABLE=$(PYTHON) \
	  -DLLVM_EXTERNAL_LIT=$(CURDIR)/$(VENV)/bin/lit
	cmake --build $(BUILD) -j $(JOBS)

demo: build ## learn the edge weights of a finite-element mesh; draws demo/*.png
	$(PYTHON) examples/demo/demo.py --output demo

gallery: build ## run the worked examples of examples/gallery; draws gallery/*.png
	@for example in cantilever quasi_harmonic field laplacian attention tomography; do \
	  $(PYTHON) examples/gallery/$$example.py --output gallery || exit; \
	done

test: build ## lit and GoogleTest through ctest, then pytest; both always run; TORCH=2.14.1: on that
	@worst=0; \
	ctest --test-dir $(BUILD) --output-on-failure || worst=$$?; \
	$(PYTHON) -m pytest || { status=$$?; (( status > worst )) && worst=$$status; }; \
	exit $$worst

test-long: build ## for longer: tests repeated and shuffled, more examples, gcc
	scripts/test_long.sh $(BUILD) $(PYTHON)

sanitize: setup ## runtime and compiler tests under ASan + UBSan and under TSan
	scripts/sanitize.sh $(BUILD) $(PYTHON) $(JOBS)

bench: build $(VENV)/.bench ## measure; BENCH=quick takes minutes instead of an hour
	cmake --build $(BUILD) --target tsgu_bench
	$(PYTHON) benchmarks/spmm.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/krylov.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/triangular.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/patterns.py --mode $(BENCH)
	$(PYTHON) benchmarks/levels.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/outputs.py --mode $(BENCH)
	$(PYTHON) benchmarks/spgemm.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/attention.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/library.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/encoders.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/cholesky.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/direct.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/small_systems.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/distributions.py --mode $(BENCH) --build $(BUILD)
	$(PYTHON) benchmarks/fields.py --mode $(BENCH) --build $(BUILD)

gpu-report: build ## registers, spills, occupancy of every GPU kernel; needs no GPU
	$(PYTHON) benchmarks/gpu_report.py --build $(BUILD) --jobs $(JOBS)

gpu-bundle: build ## what benchmarks/gpu/run.py needs on a machine with a GPU and no compiler
	$(PYTHON) benchmarks/gpu/make_bundle.py $(BUILD) $(BUILD)/gpu-bundle

$(VENV)/.bench: benchmarks/requirements.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lint: setup ## formatting, Python lint and types
	$(CXX_SOURCES) | xargs -r clang-format-22 --dry-run -Werror
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	$(PYTHON) scripts/check_rooms.py
	$(PYTHON) scripts/write_pages.py --check
	$(PYTHON) scripts/write_c_api.py --check

tidy: build ## clang-tidy over every translation unit (minutes)
	git ls-files 'runtime/*.cpp' 'lib/*.cpp' 'tools/*.cpp' 'python/*.cpp' | \
	  xargs -r -n 1 -P $(JOBS) clang-tidy-22 -p $(BUILD) --quiet

docs: build ## pages and Python's copy of the C API that are written from the sources
	$(PYTHON) scripts/write_pages.py
	$(PYTHON) scripts/write_c_api.py
	$(PYTHON) scripts/write_coverage.py $(BUILD)/bin/tsgu-opt
	$(PYTHON) scripts/write_grammar.py $(BUILD)/bin/tsgu-opt
	$(PYTHON) scripts/write_devices.py

site: build ## the pages and docstrings as a web site, build/site/index.html
	$(PYTHON) -m sphinx -q -W --keep-going -b html docs $(BUILD)/site

format: setup ## rewrite C++ and Python in the house style
	$(CXX_SOURCES) | xargs -r clang-format-22 -i
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

clean: ## remove build folders and pictures; keeps .venv*
	rm -rf build build-asan build-tsan build-gcc build-torch-* build-wheel demo
