#!/usr/bin/env bash
# Checks and times the CUDA engine; README.md says on which machine.
#   run.sh build [DIR]    needs nvcc, no GPU: programs and scripts go to DIR
#   run.sh check [DIR]    needs a GPU, its driver and Python with torch and safetensors; measures cuDNN too
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
verb=${1:-}
folder=${2:-$root/target/gpu}
python=${PYTHON:-python3}

build() {
  # PTX of the oldest device that is served: later ones take it too, which machine code for one device is not.
  export CUDA_COMPUTE_CAP=80
  mkdir -p "$folder"
  cd "$root"
  cargo build --release --features cuda -p taper-lstm --example replay
  cargo build --release --features cuda -p taper-bench --bin taper-bench
  local built=${CARGO_TARGET_DIR:-$root/target}/release
  # Without symbols, so that it all travels in a few megabytes.
  strip -o "$folder/replay" "$built/examples/replay"
  strip -o "$folder/taper-bench" "$built/taper-bench"
  cp "$0" "$here"/{inputs,compare,speed}.py "$here/../golden/replay.py" "$folder/"
  mkdir -p "$folder"/{bench,golden}
  cp "$here/../bench/pytorch_lstm.py" "$folder/bench/"
  cp "$here/../golden/tutorial_model.py" "$folder/golden/"
  du -sh "$folder"
}

# CUDA's libraries, where they came with a Python package.
libraries() {
  "$python" -c 'import glob, site
print(":".join(p for s in site.getsitepackages() for p in glob.glob(s + "/nvidia/*/lib")))'
}

# The tutorial's model next to PyTorch's.
model() {
  printf '\nthe model of the tutorial, %s\n' "$1"
  "$folder/taper-bench" lstm --device cuda --precision "$1" --rounds 3 --peers "$2" --python "$python" \
    --scripts "$folder/bench"
}

check() {
  local status=0
  folder=$(cd "$folder" && pwd)
  LD_LIBRARY_PATH="$(libraries):/usr/local/cuda/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  # What the driver compiles is compiled once; what was printed is there when time runs out.
  export LD_LIBRARY_PATH CUDA_CACHE_PATH=${CUDA_CACHE_PATH:-${TMPDIR:-/tmp}/taper-cuda-cache} PYTHONUNBUFFERED=1
  for program in replay taper-bench; do
    if ldd "$folder/$program" | grep 'not found' >&2; then
      exit 1
    fi
  done
  [[ -d $folder/inputs ]] || "$python" "$folder/inputs.py" "$folder/inputs"
  "$python" "$folder/compare.py" "$folder" || status=1
  "$python" "$folder/speed.py" "$folder" || status=1
  model f32 torch-cudnn,torch-cudnn-packed || status=1
  model bf16 torch-cudnn-bf16,torch-cudnn-amp || status=1
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
