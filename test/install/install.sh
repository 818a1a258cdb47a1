#!/bin/bash
# Installs into a temporary folder, moves it, and builds and runs consumers of it
# by CMake and by pkg-config, with the system's own compilers.
set -euo pipefail
build=${1:?usage: install.sh BUILD CMAKE} cmake=${2:?usage: install.sh BUILD CMAKE}
source=$(cd "$(dirname "$0")/consumer" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TSGU_CACHE_DIR=$folder/cache
unset TSGU_LIBRARY_DIR TSGU_COMPILER TSGU_CHECKER CXX CC LD_LIBRARY_PATH

"$cmake" --install "$build" --prefix "$folder/first" >"$folder/log"
mv "$folder/first" "$folder/tree"
if grep -rlF "$folder/first" "$folder/tree" || grep -rlF "$build" "$folder/tree"/lib/cmake; then
  echo "the files above name a folder that is none of the tree's"
  exit 1
fi

"$cmake" -S "$source" -B "$folder/by-cmake" -DCMAKE_PREFIX_PATH="$folder/tree" >>"$folder/log"
"$cmake" --build "$folder/by-cmake"
"$folder/by-cmake/consumer"

export PKG_CONFIG_PATH=$folder/tree/lib/pkgconfig
flags=$(pkg-config --cflags --libs tsgu)
c++ -std=c++20 "$source/product.cpp" -o "$folder/product" $flags -Wl,-rpath,"$folder/tree/lib"
if [[ -x $folder/tree/bin/tsgu-compile ]]; then
  "$folder/product"
  "$folder/tree/bin/tsgu-compile" "$source/scaled.mlir" -o "$folder/scaled.o" --derive vjp0
  cc -I"$folder" -c "$source/consumer.c" -o "$folder/consumer.o" $flags
  cc "$folder"/{consumer,scaled,scaled_vjp0}.o -o "$folder/consumer" $flags \
    -Wl,-rpath,"$folder/tree/lib"
  "$folder/consumer"
fi
