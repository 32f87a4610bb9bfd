"""Inputs of the example `replay` for the CUDA engine: LSTMs of chosen and of random shapes.

    python inputs.py DIR

Same seeds, same files. Every shape is there for a reason, which is its name.
"""

import random
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from replay import draw, inputs, network  # noqa: E402

RANDOM = 12
# What plan.rs takes different ways on sm_90 and sm_80, and what the kernels mask.
CHOSEN = {
    "one-unit": {"hidden_size": 1, "lengths": [3, 1, 2]},
    "one-block": {"hidden_size": 32, "lengths": [9, 1, 5, 5, 2]},
    "cluster-of-2-masked": {"hidden_size": 33, "lengths": [7] * 9},
    "cluster-of-4": {"hidden_size": 128, "lengths": list(range(1, 20))},
    "cluster-of-8-one-sequence": {"hidden_size": 256, "lengths": [50]},
    "cluster-of-8-masked": {"hidden_size": 250, "lengths": [40, 3, 17]},
    "tutorial": {"hidden_size": 256, "lengths": [120 - 3 * i for i in range(30)]},
    "slices-of-8": {
        "hidden_size": 256,
        "num_layers": 1,
        "lengths": [30 - i % 9 for i in range(70)],
    },
    "through-global-memory": {
        "hidden_size": 400,
        "num_layers": 1,
        "lengths": [12, 30, 7, 7, 1, 22],
    },
    # For the f32 kernels; those in bf16 have room.
    "too-large": {
        "hidden_size": 840,
        "num_layers": 1,
        "bidirectional": False,
        "lengths": [4, 2],
    },
    "one-direction": {"hidden_size": 96, "lengths": [11, 4], "bidirectional": False},
    "no-bias": {"hidden_size": 48, "lengths": [6, 6, 2], "bias": False},
}


def chosen(facts):
    shape = {
        "cell": "lstm",
        "input_size": 20,
        "num_layers": 2,
        "bidirectional": True,
        "bias": True,
        "proj_size": 0,
        "h0": True,
    }
    return shape | {"steps": max(facts["lengths"])} | facts


def write(shape, path):
    given = inputs(shape, network(shape))
    facts = ("cell", "hidden_size", "num_layers", "bidirectional", "proj_size")
    save_file(
        {name: value.contiguous() for name, value in given.items()},
        path,
        {name: str(shape[name]) for name in facts},
    )


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.safetensors"):
        old.unlink()
    rng = random.Random(3)
    torch.manual_seed(3)
    shapes = {name: chosen(facts) for name, facts in CHOSEN.items()}
    shapes |= {f"random-{index:02}": draw(rng, "lstm") for index in range(RANDOM)}
    for name, shape in shapes.items():
        write(shape, folder / f"{name}.safetensors")
    print(f"{len(shapes)} inputs")


if __name__ == "__main__":
    main()
