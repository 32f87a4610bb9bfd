"""Time of a step on the GPU: one bidirectional layer in Taper, and in PyTorch with cuDNN where torch is there.

    python speed.py DIR

DIR holds `taper-bench`. A step is one time step of a whole batch, forward and backward, its share of the
products before and after included: seconds of a pass over `length`. The input is as wide as the state,
sequences are equally long (cuDNN gets them unpacked), and the fastest of ten passes counts, on both sides.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

LENGTH = 272
SHAPES = [(64, 30), (128, 30), (256, 8), (256, 30), (256, 64), (512, 30)]
REPEATS = 10


def taper(folder, precision):
    """Tokens a second of the sweep's cells: (hidden, batch) -> (inference, training)."""
    command = [folder / "taper-bench", "lstm", "--sweep", "--device", "cuda", "--json"]
    command += ["--precision", precision]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"taper-bench: {ran.stderr.strip()}")
    document = json.loads(ran.stdout)
    cells = document.get("sweep", document)["cells"]
    return {
        (cell["hidden"], cell["batch"]): (
            cell["infer_tokens_per_s"],
            cell["train_tokens_per_s"],
        )
        for cell in cells
        if cell["length"] == LENGTH
    }


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
    """Microseconds a step by name, or why there are none."""
    try:
        import torch
    except ImportError as problem:
        return None, str(problem)
    if not torch.cuda.is_available():
        return None, "torch sees no GPU"
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


def main():
    folder = Path(sys.argv[1]).resolve()
    ours = {name: taper(folder, name) for name in ("f32", "bf16")}
    theirs, about = rivals()
    print(f"\nmicroseconds a step, one bidirectional layer, length {LENGTH}; {about}")
    names = ("taper f32", "taper bf16", "cudnn f32", "cudnn bf16")
    head = "".join(f"{name:>12}" for name in names)
    print(f"{'':18}{'inference':^48}{'training':^48}\n{'H':>6}{'batch':>8}    {head}{head}")
    for shape in SHAPES:
        hidden, batch = shape
        line = f"{hidden:6}{batch:8}    "
        for train in (False, True):
            for cells in ours.values():
                speeds = cells.get(shape)
                line += f"{1e6 * batch / speeds[train]:12.2f}" if speeds else f"{'-':>12}"
            for name in ("f32", "bf16"):
                time_ = theirs and theirs[shape, name, train]
                line += f"{time_:12.2f}" if time_ else f"{'-':>12}"
        print(line)


if __name__ == "__main__":
    main()
