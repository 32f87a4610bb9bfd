"""Parity with PyTorch on random recurrent networks; see README.md beside this file.

    cargo build --release -p taper-lstm --example replay
    python replay.py --count 200 [--seed 1] [--binary PATH] [--device cpu]

Draws networks of all four cells, runs each in PyTorch (packed, unsorted; in float64 and in float32) and
in the example `replay`, and compares every output, state and gradient. The error of a tensor is
max|found - expected| / max|expected|, the expected being PyTorch's float64; where all of it is below
FLOOR the difference counts as it is, divided by FLOOR. Fails if any error is above the tolerance.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
HIDDEN = [h for h in range(1, 70) if h % 8] + [64, 128, 256]
# Below this an error is absolute: a gradient that cancels to nothing has no relative error.
FLOOR = 1e-3
TOLERANCE = 1e-5


def draw(rng, cell):
    """The shape of one case."""
    wide = rng.random() < 0.15
    hidden = rng.choice([64, 128, 256]) if wide else rng.choice(HIDDEN[:-3])
    projected = cell == "lstm" and hidden > 1 and rng.random() < 0.3
    steps, batch = rng.choice([1, rng.randint(1, 40)]), rng.choice(
        [1, rng.randint(1, 17)]
    )
    steps = rng.randint(1, 40) if rng.random() < 0.8 else steps
    lengths = [rng.randint(1, steps) for _ in range(batch)]
    if rng.random() < 0.2:
        lengths = [steps] * batch
    elif rng.random() < 0.7:
        lengths[rng.randrange(batch)] = steps
    return {
        "cell": cell,
        "input_size": rng.randint(1, 40),
        "hidden_size": hidden,
        "num_layers": rng.randint(1, 3),
        "bidirectional": rng.random() < 0.5,
        "bias": rng.random() < 0.75,
        "proj_size": rng.randint(1, hidden - 1) if projected else 0,
        "steps": steps,
        "lengths": lengths,
        "h0": rng.random() < 0.5,
    }


def network(shape):
    cell = shape["cell"]
    kind = {"lstm": nn.LSTM, "gru": nn.GRU}.get(cell, nn.RNN)
    options = {"proj_size": shape["proj_size"]} if cell == "lstm" else {}
    if kind is nn.RNN:
        options["nonlinearity"] = cell.removeprefix("rnn_")
    return kind(
        shape["input_size"],
        shape["hidden_size"],
        shape["num_layers"],
        bias=shape["bias"],
        bidirectional=shape["bidirectional"],
        **options,
    )


def inputs(shape, module):
    """What both sides are given, in f32: PyTorch's own initial weights, all else random."""
    directions = 1 + shape["bidirectional"]
    h_size = shape["proj_size"] or shape["hidden_size"]
    states, batch = shape["num_layers"] * directions, len(shape["lengths"])
    h, c = (states, batch, h_size), (states, batch, shape["hidden_size"])
    memory = shape["cell"] == "lstm"
    given = {name: weight.detach() for name, weight in module.named_parameters()}
    given["input"] = torch.randn(shape["steps"], batch, shape["input_size"])
    given["lengths"] = torch.tensor(shape["lengths"])
    if shape["h0"]:
        given["h0"] = torch.randn(h)
        if memory:
            given["c0"] = torch.randn(c)
    given["grad_output"] = torch.randn(shape["steps"], batch, directions * h_size)
    given["grad_h_n"] = torch.randn(h)
    if memory:
        given["grad_c_n"] = torch.randn(c)
    # Whoever reads past a length reads no number.
    for index, length in enumerate(shape["lengths"]):
        given["input"][length:, index] = torch.nan
        given["grad_output"][length:, index] = torch.nan
    return given


def pytorch(shape, module, given, dtype):
    """Results and gradients, PyTorch computing in `dtype`."""
    module = module.to(dtype)
    lengths = given["lengths"]
    leaves = {"h0", "c0", "input"} & given.keys()
    # PyTorch multiplies the padding by 0 on its way back; what lies there has no say in the results.
    values = {
        name: torch.nan_to_num(value).to(dtype)
        for name, value in given.items()
        if name != "lengths"
    }
    for name in leaves:
        values[name].requires_grad_()
    module.zero_grad()
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])

    packed = pack_padded_sequence(values["input"], lengths, enforce_sorted=False)
    states = None
    if "h0" in values:
        states = (values["h0"], values["c0"]) if "c0" in values else values["h0"]
    packed, final = module(packed, states)
    output, _ = pad_packed_sequence(packed, total_length=shape["steps"])
    results = {"output": output}
    results |= dict(
        zip(("h_n", "c_n"), final if isinstance(final, tuple) else (final,))
    )
    loss = sum(
        (value * values[f"grad_{name}"]).sum() for name, value in results.items()
    )
    loss.backward()
    results |= {f"grad.{name}": values[name].grad for name in leaves}
    results |= {f"grad.{name}": value.grad for name, value in parameters.items()}
    return {name: value.detach().double() for name, value in results.items()}


def replay(binary, arguments, shape, given, directory):
    before, after = directory / "in.safetensors", directory / "out.safetensors"
    facts = ("cell", "hidden_size", "num_layers", "bidirectional", "proj_size")
    metadata = {name: str(shape[name]) for name in facts}
    save_file(
        {name: value.contiguous() for name, value in given.items()}, before, metadata
    )
    subprocess.run([binary, before, after, *arguments], check=True)
    return {name: value.double() for name, value in load_file(after).items()}


def error(found, expected):
    if found.shape != expected.shape or not found.isfinite().all():
        return float("inf")
    return (
        (found - expected).abs().max() / expected.abs().max().clamp_min(FLOOR)
    ).item()


def kind_of(name):
    """`grad.weight_ih_l1_reverse` is one of the `grad.weight_ih`."""
    return name.split("_l")[0]


def main():
    root = Path(__file__).resolve().parents[2]
    default = root / "target" / "release" / "examples" / "replay"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binary", type=Path, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    arguments = parser.parse_args()

    rng = random.Random(arguments.seed)
    torch.manual_seed(arguments.seed)
    flags = ["--device", arguments.device, "--precision", arguments.precision]
    # Worst errors of replay and of PyTorch's own f32, by cell and by kind of tensor.
    worst = defaultdict(lambda: [(0.0, ""), (0.0, "")])
    cells = CELLS[:1] if arguments.precision == "bf16" else CELLS
    with tempfile.TemporaryDirectory() as directory:
        for index in range(arguments.count):
            shape = draw(rng, cells[index % len(cells)])
            module = network(shape)
            given = inputs(shape, module)
            exact = pytorch(shape, module, given, torch.float64)
            single = pytorch(shape, module, given, torch.float32)
            found = replay(arguments.binary, flags, shape, given, Path(directory))
            if found.keys() != exact.keys():
                sys.exit(
                    f"case {index}, {shape}: names differ: {found.keys() ^ exact.keys()}"
                )
            for name, expected in exact.items():
                errors = (error(found[name], expected), error(single[name], expected))
                for key in ((shape["cell"], "all"), (shape["cell"], kind_of(name))):
                    for side, value in enumerate(errors):
                        worst[key][side] = max(
                            worst[key][side], (value, f"case {index} {name}")
                        )
                if errors[0] > arguments.tolerance:
                    print(
                        f"case {index} {name}: {errors[0]:.2e}, PyTorch's f32 {errors[1]:.2e}: {shape}"
                    )

    print(f"{'cell':9} {'kind':16} {'replay':>9} {'torch f32':>9}  worst case")
    by_cell = sorted(worst.items(), key=lambda item: CELLS.index(item[0][0]))
    for (cell, kind), (ours, theirs) in by_cell:
        print(f"{cell:9} {kind:16} {ours[0]:9.2e} {theirs[0]:9.2e}  {ours[1]}")
    largest = max(ours for ours, _ in worst.values())[0]
    print(
        f"{arguments.count} networks, PyTorch {torch.__version__}: worst error {largest:.2e}"
    )
    return int(not largest <= arguments.tolerance)


if __name__ == "__main__":
    sys.exit(main())
