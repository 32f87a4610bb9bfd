#!/usr/bin/env bash
# Checks and times the CUDA engine; README.md says on which machine.
#   run.sh build [DIR]    needs nvcc and Python with torch, no GPU: programs and inputs go to DIR
#   run.sh check [DIR]    needs a GPU, its driver and Python; with torch also measures cuDNN
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
verb=${1:-}
folder=${2:-$root/target/gpu}
python=${PYTHON:-python3}

build() {
  mkdir -p "$folder"
  cd "$root"
  cargo build --release --features cuda -p taper-lstm --example replay
  cargo build --release --features cuda -p taper-bench --bin taper-bench
  local built=${CARGO_TARGET_DIR:-$root/target}/release
  # Without symbols, so that it all travels in a few megabytes.
  strip -o "$folder/replay" "$built/examples/replay"
  strip -o "$folder/taper-bench" "$built/taper-bench"
  "$python" "$here/inputs.py" "$folder/inputs"
  cp "$here/compare.py" "$here/speed.py" "$folder/"
  du -sh "$folder"
}

check() {
  local status=0
  "$python" "$folder/compare.py" "$folder" || status=1
  "$python" "$folder/speed.py" "$folder" || status=1
  exit $status
}

case $verb in
  build) build ;;
  check) check ;;
  *)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
    ;;
esac
