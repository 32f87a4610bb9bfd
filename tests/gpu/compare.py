"""Runs `replay` on every input, on the CPU and on the GPU, and compares all results and gradients.

    python compare.py DIR

DIR holds `replay` and `inputs/`. Needs nothing but Python. The error of a tensor is
max|cuda - cpu| / max|cpu|; where all of it is below FLOOR the difference is divided by FLOOR.
"""

import array
import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

# bf16 has 8 bits: a product's operands are off by up to 2^-9, and steps pass that on.
BOUNDS = {"f32": 1e-4, "bf16": 1.5e-2}
# With a handful of units nothing averages out.
FEW_UNITS, FEW_UNITS_BOUND = 8, 1e-1
FLOOR = 1e-3
# Seconds for a run; most of it is the driver's start.
LIMIT = 60


class Hang(Exception):
    """A run that did not end in time."""


def read(path):
    """The f32 tensors of a safetensors file and its metadata."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, facts in header.items():
        if facts["dtype"] == "F32":
            start, end = (8 + length + offset for offset in facts["data_offsets"])
            tensors[name] = array.array("f", data[start:end])
    return tensors, metadata


def error(found, expected):
    if len(found) != len(expected) or not all(map(math.isfinite, found)):
        return math.inf
    scale = max(map(abs, expected), default=0.0)
    difference = max((abs(a - b) for a, b in zip(found, expected)), default=0.0)
    return difference / max(scale, FLOOR)


def replay(folder, source, arguments):
    """The bytes of the results, or why there are none."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "out.safetensors"
        try:
            ran = subprocess.run(
                [folder / "replay", source, target, *arguments],
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise Hang(f"{' '.join(arguments)}: no end within {LIMIT} s") from None
        if ran.returncode != 0:
            return None, f"{ran.stderr.strip() or 'ended'} ({ran.returncode})"
        return target.read_bytes(), None


def compare(folder, source, precision, expected):
    """The worst error and its tensor, or why there is none."""
    arguments = ["--device", "cuda", "--precision", precision]
    results = [replay(folder, source, arguments) for _ in range(2)]
    for _, problem in results:
        if problem:
            return math.inf, problem
    if results[0][0] != results[1][0]:
        return math.inf, "two runs differ: not deterministic"
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(results[0][0])
        found, _ = read(file.name)
    if found.keys() != expected.keys():
        return math.inf, f"names differ: {sorted(found.keys() ^ expected.keys())}"
    return max((error(found[name], expected[name]), name) for name in expected)


def row(folder, source):
    """Prints the row of an input; how many of its comparisons failed."""
    _, metadata = read(source)
    hidden = metadata["hidden_size"]
    projected = metadata["proj_size"] not in ("0", "")
    bytes_, problem = replay(folder, source, ["--device", "cpu"])
    if problem:
        print(f"FAIL {source.stem}: on the CPU: {problem}")
        return 1
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(bytes_)
        expected, _ = read(file.name)
    failed, cells, notes = 0, [], []
    for precision, bound in BOUNDS.items():
        # A projection has no bf16 kernel.
        if precision == "bf16" and projected:
            cells.append("-")
            continue
        if precision == "bf16" and int(hidden) < FEW_UNITS:
            bound = FEW_UNITS_BOUND
        worst, name = compare(folder, source, precision, expected)
        cells.append(f"{worst:.1e}")
        notes.append(name)
        if not worst <= bound:
            failed += 1
            notes.append("FAIL")
    print(f"{source.stem:28} {hidden:>5} {cells[0]:>9} {cells[1]:>9}  {', '.join(notes)}")
    return failed


def main():
    folder = Path(sys.argv[1]).resolve()
    # The one that matters most is first, should time run out.
    sources = sorted(
        (folder / "inputs").glob("*.safetensors"),
        key=lambda source: (source.stem != "tutorial", source.stem),
    )
    if not sources:
        sys.exit(f"{folder}/inputs has no inputs; run.sh check makes them")
    failed = 0
    print(f"{'input':28} {'H':>5} {'f32':>9} {'bf16':>9}  worst tensor")
    for done, source in enumerate(sources):
        try:
            failed += row(folder, source)
        except Hang as hang:
            # A device that hangs once does so again, and the time is for what comes after.
            print(f"FAIL {source.stem}: {hang}")
            print(f"stopped there, {done} of {len(sources)} inputs compared: {failed or 'none'} failed")
            return 1
    print(f"{len(sources)} inputs, bounds {BOUNDS}: {failed or 'none'} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
