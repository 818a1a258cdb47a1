#!/bin/bash
# make test-long: unit tests repeated in random order, pytest with twenty times
# the generated examples. Both halves always run.
set -uo pipefail
build=${1:?usage: test_long.sh BUILD PYTHON}
python=${2:?usage: test_long.sh BUILD PYTHON}
cd "$(dirname "$0")/.."
worst=0
note() { local status=$?; ((status > worst)) && worst=$status; return 0; }

GTEST_REPEAT=${TSGU_REPEAT:-20} GTEST_SHUFFLE=1 \
  ctest --test-dir "$build" --output-on-failure || note
TSGU_LONG=1 "$python" -m pytest || note
exit "$worst"
