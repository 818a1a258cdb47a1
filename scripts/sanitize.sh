#!/bin/bash
# make sanitize: the C++ tests of runtime and compiler, built by clang with
# ASan + UBSan, then with TSan. Both always run. LLVM itself is Debian's and not
# instrumented, which is what the options below allow for.
set -uo pipefail
build=${1:?usage: sanitize.sh BUILD PYTHON JOBS}
python=${2:?usage: sanitize.sh BUILD PYTHON JOBS}
jobs=${3:?usage: sanitize.sh BUILD PYTHON JOBS}
cd "$(dirname "$0")/.."
worst=0

# Containers and LLVM's allocators cross the border to uninstrumented LLVM, which
# cannot say what it uses of the memory that our half of their templates poisons.
ASAN_OPTIONS=detect_container_overflow=0:allow_user_poisoning=0
export ASAN_OPTIONS+=:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS="halt_on_error=1:suppressions=$PWD/scripts/tsan.supp"

check() { # name, sanitizers
  echo "== $1"
  cmake -S . -B "$build-$1" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" -DTSGU_SANITIZE="$2" \
    -DTSGU_BUILD_TORCH=OFF -DPython3_EXECUTABLE="$python" \
    -DLLVM_EXTERNAL_LIT="$(dirname "$python")/lit" &&
    cmake --build "$build-$1" -j "$jobs" &&
    ctest --test-dir "$build-$1" --output-on-failure
  local status=$?
  ((status > worst)) && worst=$status
  return 0
}

check asan address,undefined
check tsan thread
exit "$worst"
