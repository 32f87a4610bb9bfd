"""Golden values of torch.nn.LSTM and torch.nn.LSTMCell; writes lstm.safetensors beside itself.

The inputs and weights are f32. PyTorch computes on them in float64 and the results are rounded to f32 once,
so they are the exact answer up to that rounding. README.md documents the keys.
"""

import json
from itertools import product
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

# Five patterns against 24 cases: every pattern meets every option.
LENGTHS = [
    [4, 9, 1, 7, 4, 2],
    [1, 2, 3, 3, 8, 9],
    [9, 7, 6, 6, 2, 1],
    [9, 9, 9, 9, 9, 9],
    [1, 1, 9, 1, 1, 1],
]


def uniform(shape, bound):
    """f32 values in [-bound, bound), held in float64."""
    return ((torch.rand(shape) * 2 - 1) * bound).double()


def lstm_case(input_size, hidden_size, lengths, layers, directions, bias, states):
    lstm = nn.LSTM(
        input_size, hidden_size, layers, bias=bias, bidirectional=directions == 2
    ).double()
    for weight in lstm.parameters():
        weight.data = uniform(weight.shape, 2 * hidden_size**-0.5)

    steps, batch = max(lengths), len(lengths)
    final = (layers * directions, batch, hidden_size)
    # Random past each length as well: whoever reads the padding gets other numbers.
    given = {
        "input": uniform((steps, batch, input_size), 2.0),
        "grad_output": uniform((steps, batch, directions * hidden_size), 1.0),
        "grad_h_n": uniform(final, 1.0),
        "grad_c_n": uniform(final, 1.0),
    }
    if states:
        given |= {"h0": uniform(final, 1.0), "c0": uniform(final, 1.0)}
    leaves = {
        name: given[name].requires_grad_()
        for name in ("input", "h0", "c0")
        if name in given
    }
    leaves |= dict(lstm.named_parameters())

    packed = pack_padded_sequence(
        given["input"], torch.tensor(lengths), enforce_sorted=False
    )
    packed, (h_n, c_n) = lstm(packed, (given["h0"], given["c0"]) if states else None)
    output, _ = pad_packed_sequence(packed)
    loss = (output * given["grad_output"]).sum()
    loss = loss + (h_n * given["grad_h_n"]).sum() + (c_n * given["grad_c_n"]).sum()
    loss.backward()

    tensors = given | leaves | {"output": output, "h_n": h_n, "c_n": c_n}
    tensors |= {f"grad.{name}": leaf.grad for name, leaf in leaves.items()}
    tensors = {name: value.detach().float() for name, value in tensors.items()}
    return tensors | {"lengths": torch.tensor(lengths)}


def cell_case():
    cell = nn.LSTMCell(5, 7).double()
    for weight in cell.parameters():
        weight.data = uniform(weight.shape, 2 * 7**-0.5)
    tensors = {
        "input": uniform((6, 5), 2.0),
        "h": uniform((6, 7), 1.0),
        "c": uniform((6, 7), 1.0),
    }
    h_out, c_out = cell(tensors["input"], (tensors["h"], tensors["c"]))
    tensors |= dict(cell.named_parameters()) | {"h_out": h_out, "c_out": c_out}
    return {name: value.detach().float() for name, value in tensors.items()}


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    ragged = [17, 40, 3, 40, 29]
    plan = {
        # name: (input, hidden, lengths, layers, directions, bias, states)
        "wide_l1_d2": (20, 33, ragged, 1, 2, True, False),
        "wide_l2_d1": (20, 33, ragged, 2, 1, True, True),
    }
    options = product((1, 2, 3), (1, 2), (False, True), (False, True))
    for index, (layers, directions, bias, states) in enumerate(options):
        name = f"l{layers}_d{directions}" + "_bias" * bias + "_states" * states
        lengths = LENGTHS[index % len(LENGTHS)]
        plan[name] = (5, 7, lengths, layers, directions, bias, states)

    tensors, cases = {}, {}
    for name, arguments in sorted(plan.items()):
        _, _, _, layers, directions, bias, states = arguments
        cases[name] = {
            "num_layers": layers,
            "bidirectional": directions == 2,
            "bias": bias,
            "initial_states": states,
        }
        for key, value in lstm_case(*arguments).items():
            tensors[f"{name}/{key}"] = value.contiguous()
    for key, value in cell_case().items():
        tensors[f"cell/{key}"] = value

    path = Path(__file__).with_suffix(".safetensors")
    # One key: safetensors writes several in an order that changes from run to run.
    golden = json.dumps({"torch": torch.__version__, "cases": cases})
    save_file(tensors, path, metadata={"golden": golden})
    size = path.stat().st_size
    print(
        f"{path}: {len(cases)} LSTMs and a cell, {len(tensors)} tensors, {size} bytes"
    )


if __name__ == "__main__":
    main()
