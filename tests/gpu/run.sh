#!/usr/bin/env bash
# Checks and times the CUDA engine; README.md says on which machine.
#   run.sh all [DIR]      build, check and the tests that need a GPU, on a machine that has all of it
#   run.sh build [DIR]    needs nvcc, no GPU: programs and scripts go to DIR
#   run.sh check [DIR]    needs a GPU, its driver and Python with torch and safetensors; measures cuDNN too
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
verb=${1:-}
folder=${2:-$root/target/gpu}
[[ $folder == /* ]] || folder=$PWD/$folder
python=${PYTHON:-python3}
# Always both packages: alone, each asks for other features of candle's dependencies, and candle is compiled twice.
packages=(--release -p taper-lstm -p taper-bench --features "taper-lstm/cuda,taper-bench/cuda")
# PTX of the oldest device that is served: later ones take it too, which machine code for one device is not.
export CUDA_COMPUTE_CAP=80
# Seconds between asking a step to end and killing it.
grace=3
status=0

build() (
  mkdir -p "$folder"/{bench,golden}
  cd "$root"
  cargo build "${packages[@]}" --example replay --bin taper-bench
  built=${CARGO_TARGET_DIR:-$root/target}/release
  # Without symbols, so that it all travels in a few megabytes.
  strip -o "$folder/replay" "$built/examples/replay"
  strip -o "$folder/taper-bench" "$built/taper-bench"
  cp "$here"/{run.sh,inputs.py,compare.py,speed.py} "$here/../golden/replay.py" "$folder/"
  cp "$here/../bench/pytorch_lstm.py" "$folder/bench/"
  cp "$here/../golden/tutorial_model.py" "$folder/golden/"
  du -sh "$folder"
)

# CUDA's libraries, where they came with a Python package.
libraries() {
  timeout --kill-after=1 8 "$python" -c 'import glob, site
print(":".join(p for s in site.getsitepackages() for p in glob.glob(s + "/nvidia/*/lib")))'
}

# step NAME SECONDS COMMAND...: one line says what failed or was not done in time.
step() {
  local name=$1 limit=$2 start=$SECONDS code=0
  shift 2
  # Waited for, not run in front: so a signal is answered at once.
  timeout --kill-after="$grace" "$limit" "$@" &
  wait $! 2>/dev/null || code=$?
  if ((code == 0)); then
    return
  elif ((SECONDS - start >= limit)); then
    echo "FAIL $name: not done within $limit s"
  else
    echo "FAIL $name: exit status $code"
  fi
  return 1
}

# The tutorial's model next to PyTorch's.
model() {
  printf '\nthe model of the tutorial, %s\n' "$1"
  step "the model in $1" 60 "$folder/taper-bench" lstm --device cuda --precision "$1" --rounds 3 --peers "$2" \
    --python "$python" --scripts "$folder/bench"
}

# What may run on the GPU, here and in `device_tests`, has 588 s with the graces: ten minutes, whatever hangs.
check() {
  # `timeout` puts a step into a process group of its own, which Ctrl-C does not reach.
  trap 'kill $(jobs -p) 2>/dev/null || true; exit 130' INT TERM
  LD_LIBRARY_PATH="$(libraries):/usr/local/cuda/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  # What the driver compiles is compiled once; what was printed is there when time runs out.
  export LD_LIBRARY_PATH CUDA_CACHE_PATH=${CUDA_CACHE_PATH:-${TMPDIR:-/tmp}/taper-cuda-cache} PYTHONUNBUFFERED=1
  for program in replay taper-bench; do
    if [[ ! -x $folder/$program ]]; then
      echo "there is no $folder/$program; run.sh build makes it" >&2
      exit 1
    fi
    if ldd "$folder/$program" | grep 'not found' >&2; then
      exit 1
    fi
  done
  if [[ ! -d $folder/inputs ]]; then
    # Under another name until all are there.
    { step inputs 60 "$python" "$folder/inputs.py" "$folder/inputs.part" && mv "$folder"/inputs{.part,}; } || status=1
  fi
  step compare 210 "$python" "$folder/compare.py" "$folder" || status=1
  step speed 140 "$python" "$folder/speed.py" "$folder" || status=1
  model f32 torch-cudnn,torch-cudnn-packed || status=1
  model bf16 torch-cudnn-bf16,torch-cudnn-amp || status=1
}

device_tests() {
  printf '\nthe tests that need a GPU\n'
  cd "$root"
  step 'device tests' 40 cargo test "${packages[@]}" --lib cuda -- --include-ignored --test-threads 1 || status=1
}

case $verb in
  all)
    build
    # Compiled here, so that no compiler takes the device's time.
    (cd "$root" && cargo test "${packages[@]}" --lib --no-run)
    check
    device_tests
    ;;
  build) build ;;
  check) check ;;
  *)
    sed -n '2,5s/^# //p' "$here/run.sh" >&2
    exit 2
    ;;
esac
exit $status
