#!/bin/bash
# make test-long: unit tests repeated in random order, pytest with twenty times
# the generated examples, every kernel for GPUs assembled, and the runtime alone,
# built by gcc. All always run.
set -uo pipefail
build=${1:?usage: test_long.sh BUILD PYTHON}
python=${2:?usage: test_long.sh BUILD PYTHON}
cd "$(dirname "$0")/.."
worst=0
note() { local status=$?; ((status > worst)) && worst=$status; return 0; }

TSGU_LONG=1 GTEST_REPEAT=${TSGU_REPEAT:-20} GTEST_SHUFFLE=1 \
  ctest --test-dir "$build" --output-on-failure || note
TSGU_LONG=1 "$python" -m pytest || note
"$python" benchmarks/gpu_report.py --build "$build" >/dev/null || note
cmake -S . -B "$build-gcc" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_COMPILER=g++ -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
  -DTSGU_BUILD_COMPILER=OFF &&
  cmake --build "$build-gcc" &&
  ctest --test-dir "$build-gcc" --output-on-failure || note
exit "$worst"
