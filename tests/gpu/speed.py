"""Time of a step on the GPU: one bidirectional layer in Taper, and in PyTorch with cuDNN where torch is there.

    python speed.py DIR

DIR holds `taper-bench`. A step is one time step of a whole batch in both directions, its share of the
products before and after included: the time of a pass over `length`; a pass in training is forward and
backward. The input is as wide as the state (D = H), sequences are equally long (cuDNN gets them unpacked),
and the fastest of ten passes counts, on both sides.

Beside Taper's times stand what follows from them, and what was hoped for:

TFLOP/s   of the input and recurrent products: 2 * 4H * (H + D) * B operations a step and direction, three
          times as many in training
GB/s      of reading W_hh once a step, in training once more on the way back, where it lived in global memory:
          4H * H numbers of 4 or 2 bytes a direction. The persistent kernels save it.
estimate  microseconds a step that the kernels were designed by: the tutorial's layer on a Hopper GPU, bf16
          0.25 to 0.45 forward and 0.4 to 0.7 backward, f32 about 1.2 forward in slices of eight sequences.
          For the persistent kernel alone: the products before and after come on top.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

LENGTH = 272
SHAPES = [(64, 30), (128, 30), (256, 8), (256, 30), (256, 64), (512, 30)]
TUTORIAL = (256, 30)
DIRECTIONS = 2
REPEATS = 10
# Bytes of a number of W_hh.
PRECISIONS = {"f32": 4, "bf16": 2}
# By precision and training.
ESTIMATES = {
    ("f32", False): "1.2",
    ("bf16", False): "0.25-0.45",
    ("bf16", True): "0.65-1.15",
}
# How many times faster than cuDNN training is to be, for the tutorial's layer.
ASKED = 3
# Seconds of a sweep.
LIMIT = 55


def taper(folder, precision):
    """Microseconds a step by shape, precision and training; None if it hangs. Says what is missing."""
    command = [folder / "taper-bench", "lstm", "--sweep", "--device", "cuda", "--json"]
    command += ["--precision", precision]
    failed = f"FAIL taper-bench --sweep, {precision}:"
    try:
        ran = subprocess.run(command, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired as late:
        last = (late.stderr or b"").decode().strip().rpartition("\n")[2]
        print(f"{failed} no end within {LIMIT} s, last was: {last or 'nothing'}")
        return None
    said = ran.stderr.decode().splitlines()
    if ran.returncode != 0:
        # What comes before is progress.
        print(f"{failed} exit status {ran.returncode}: {' '.join(said[-4:])}")
        return {}
    times = {}
    for cell in json.loads(ran.stdout)["cells"]:
        shape = (cell["hidden"], cell["batch"])
        if cell["length"] == LENGTH:
            for train, name in ((False, "infer"), (True, "train")):
                speed = cell[f"{name}_tokens_per_s"]
                times[shape, precision, train] = 1e6 * shape[1] / speed
    missing = [shape for shape in SHAPES if (shape, precision, True) not in times]
    if missing:
        reasons = sorted({line for line in said if line.startswith("left out")})
        print(f"{failed} {missing} missing; {'; '.join(reasons)}")
    return times


def cudnn(torch, hidden, batch, dtype, train):
    """Seconds of one pass, the parameters in `dtype`."""
    device = torch.device("cuda")
    layer = torch.nn.LSTM(hidden, hidden, bidirectional=True).to(device, dtype)
    x = torch.randn(LENGTH, batch, hidden, device=device, dtype=dtype)
    x.requires_grad_(train)
    best = float("inf")
    for _ in range(REPEATS):
        layer.zero_grad()
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.set_grad_enabled(train):
            output, _ = layer(x)
            if train:
                output.sum().backward()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def rivals():
    """Microseconds a step by shape, precision and training, and by whom; or none, and why."""
    try:
        import torch
    except ImportError as problem:
        return {}, str(problem)
    if not torch.cuda.is_available():
        return {}, "torch sees no GPU"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(1)
    times = {
        (shape, name, train): 1e6 * cudnn(torch, *shape, dtype, train) / LENGTH
        for shape in SHAPES
        for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16))
        for train in (False, True)
    }
    return times, f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"


def number(value, width, digits):
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"


def ratio(ours, theirs, key):
    """How many times faster Taper is."""
    return theirs[key] / ours[key] if key in ours and key in theirs else None


def print_taper(ours, train):
    print(f"\nTaper, {'training' if train else 'inference'}; W_hh in GB/s")
    print(" " * 12 + "".join(f"{name:^44}" for name in PRECISIONS))
    columns = f"{'us a step':>11}{'estimate':>12}{'TFLOP/s':>10}{'W_hh':>11}"
    print(f"{'H':>5}{'batch':>7}" + columns * len(PRECISIONS))
    for shape in SHAPES:
        hidden, batch = shape
        operations = DIRECTIONS * 2 * 4 * hidden * (hidden + hidden) * batch
        line = f"{hidden:5}{batch:7}"
        for precision, size in PRECISIONS.items():
            step = ours.get((shape, precision, train))
            read = DIRECTIONS * 4 * hidden * hidden * size
            estimate = ESTIMATES.get((precision, train)) if shape == TUTORIAL else None
            line += number(step, 11, 2) + f"{estimate or '-':>12}"
            line += number(step and (3 if train else 1) * operations / step / 1e6, 10, 1)
            line += number(step and (2 if train else 1) * read / step / 1e3, 11, 0)
        print(line)


def print_ratios(ours, theirs, about):
    print(f"\nus a step next to {about}; ratio: cuDNN's time over Taper's")
    kinds = [(name, train) for train in (False, True) for name in PRECISIONS]
    heads = (f"{'training' if train else 'inference'} {name}" for name, train in kinds)
    print(" " * 12 + "".join(f"{head:^27}" for head in heads))
    columns = f"{'Taper':>10}{'cuDNN':>10}{'ratio':>7}"
    print(f"{'H':>5}{'batch':>7}" + columns * len(kinds))
    for shape in SHAPES:
        line = f"{shape[0]:5}{shape[1]:7}"
        for kind in kinds:
            key = (shape, *kind)
            line += number(ours.get(key), 10, 2) + number(theirs.get(key), 10, 2)
            line += number(ratio(ours, theirs, key), 7, 1)
        print(line)
    hidden, batch = TUTORIAL
    reached = ", ".join(
        f"{number(ratio(ours, theirs, (TUTORIAL, name, True)), 1, 2)} times in {name}"
        for name in PRECISIONS
    )
    print(f"training at {hidden} x {batch}, Taper's speed over cuDNN's: {reached}; asked for: {ASKED}")


def main():
    folder = Path(sys.argv[1]).resolve()
    print(f"\none bidirectional layer, length {LENGTH}")
    ours = {}
    for precision in PRECISIONS:
        times = taper(folder, precision)
        if times is None:
            # A device that hangs once does so again.
            break
        ours |= times
    # Before cuDNN is asked: that may hang too.
    for train in (False, True):
        print_taper(ours, train)
    theirs, about = rivals()
    if theirs:
        print_ratios(ours, theirs, about)
    else:
        print(f"\ncuDNN is not measured: {about}")
    wanted = {(s, name, train) for s in SHAPES for name in PRECISIONS for train in (False, True)}
    return int(not wanted <= ours.keys())


if __name__ == "__main__":
    sys.exit(main())
