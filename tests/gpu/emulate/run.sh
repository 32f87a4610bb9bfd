#!/usr/bin/env bash
# Builds the CUDA kernels for a CPU, runs them on tiny layers and compares with plain references.
# Needs a C++20 compiler; no CUDA, no GPU.  usage: run.sh [-fsanitize=address,undefined ...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernels=$here/../../../crates/taper-lstm/src/kernel/cuda
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
status=0
for name in lstm elementwise; do
  ${CXX:-g++} -std=c++20 -O1 -g -DTAPER_EMULATE -Wall -Wextra -Wno-unknown-pragmas -Wno-clobbered -fno-strict-aliasing \
    -x c++ "$@" -I"$here" -I"$kernels" "$here/$name.cpp" -o "$build/$name"
  "$build/$name" || status=1
done
exit $status
