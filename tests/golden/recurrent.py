"""Golden values of torch.nn.GRU, nn.RNN and nn.LSTM with a projection; writes recurrent.safetensors.

As lstm.py: inputs and weights are f32, PyTorch computes in float64, results are rounded once.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm import LENGTHS, uniform

INPUT, HIDDEN, PROJECTED = 5, 7, 3
CELLS = {
    "gru": (nn.GRU, {}),
    "rnn_tanh": (nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {"proj_size": PROJECTED}),
}


def case(cell, lengths, layers, directions, bias, states):
    kind, options = CELLS[cell]
    bidirectional = directions == 2
    network = kind(
        INPUT, HIDDEN, layers, bias=bias, bidirectional=bidirectional, **options
    ).double()
    for weight in network.parameters():
        weight.data = uniform(weight.shape, 2 * HIDDEN**-0.5)

    steps, batch, memory = max(lengths), len(lengths), cell == "lstm"
    h_size = PROJECTED if memory else HIDDEN
    h_shape = (layers * directions, batch, h_size)
    c_shape = (layers * directions, batch, HIDDEN)
    # Random past each length as well: whoever reads the padding gets other numbers.
    given = {
        "input": uniform((steps, batch, INPUT), 2.0),
        "grad_output": uniform((steps, batch, directions * h_size), 1.0),
        "grad_h_n": uniform(h_shape, 1.0),
    }
    if memory:
        given["grad_c_n"] = uniform(c_shape, 1.0)
    if states:
        given["h0"] = uniform(h_shape, 1.0)
    if states and memory:
        given["c0"] = uniform(c_shape, 1.0)
    leaves = {
        name: given[name].requires_grad_()
        for name in ("input", "h0", "c0")
        if name in given
    }
    leaves |= dict(network.named_parameters())

    initial = None
    if states:
        initial = (given["h0"], given["c0"]) if memory else given["h0"]
    packed = pack_padded_sequence(
        given["input"], torch.tensor(lengths), enforce_sorted=False
    )
    packed, final = network(packed, initial)
    results = {"output": pad_packed_sequence(packed)[0]}
    results |= dict(zip(("h_n", "c_n"), final if memory else (final,)))
    sum(
        (value * given[f"grad_{name}"]).sum() for name, value in results.items()
    ).backward()

    tensors = given | leaves | results
    tensors |= {f"grad.{name}": leaf.grad for name, leaf in leaves.items()}
    tensors = {name: value.detach().float() for name, value in tensors.items()}
    return tensors | {"lengths": torch.tensor(lengths)}


def main():
    torch.manual_seed(2)
    torch.set_num_threads(1)
    # (layers, directions, bias, states)
    options = [(1, 1, False, False), (1, 2, True, True), (2, 2, True, True)]
    tensors, cases = {}, {}
    for cell in CELLS:
        for layers, directions, bias, states in options:
            name = (
                f"{cell}_l{layers}_d{directions}" + "_bias" * bias + "_states" * states
            )
            lengths = LENGTHS[len(cases) % len(LENGTHS)]
            cases[name] = {
                "cell": cell,
                "num_layers": layers,
                "bidirectional": directions == 2,
                "bias": bias,
                "initial_states": states,
            }
            values = case(cell, lengths, layers, directions, bias, states)
            for key, value in values.items():
                tensors[f"{name}/{key}"] = value.contiguous()

    path = Path(__file__).with_suffix(".safetensors")
    # One key: safetensors writes several in an order that changes from run to run.
    golden = json.dumps({"torch": torch.__version__, "cases": cases})
    save_file(tensors, path, metadata={"golden": golden})
    print(
        f"{path}: {len(cases)} networks, {len(tensors)} tensors, {path.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
