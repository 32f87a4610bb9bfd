"""Losses of 50 training steps of the tutorial model at full size; writes tutorial_steps.json beside itself.

Weights and batches come from a counter formula that any language computes bit for bit, so the file holds
little more than losses. README.md documents the formula.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tutorial_model import PADDING, TutorialModel, pad

STEPS, BATCH, VOCABULARY, EMBEDDING, HIDDEN = 50, 30, 10_002, 100, 256
SHORTEST, LONGEST = 5, 40
BATCH_SEED = 1000
CUES = (100, 200)  # first of the 16 cue ids of label 0, of label 1


def draw(seed, indices):
    """24 random bits for each index: splitmix64(seed * 2^32 + index) >> 40."""
    z = np.uint64(seed << 32) + np.asarray(indices, dtype=np.uint64)
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) >> np.uint64(40)


def bound(name):
    if name.startswith("embedding."):
        return np.float32(0.4)
    if name.startswith("fc."):
        return np.float32(1 / np.sqrt(np.float64(512)))
    return np.float32(1 / 16)


def weights(model):
    """The f32 state_dict; a parameter's seed is its position among the sorted names."""
    state = {}
    for seed, (name, old) in enumerate(sorted(model.state_dict().items())):
        unit = draw(seed, np.arange(old.numel())).astype(np.float32) / np.float32(2**24)
        values = (unit - np.float32(0.5)) * np.float32(2) * bound(name)
        state[name] = torch.from_numpy(values).reshape(old.shape)
    state["embedding.weight"][PADDING] = 0
    return state


def batch(step):
    """Lists of ids, and labels."""
    sequences, labels = [], []
    for row in range(BATCH):
        start = row * 128
        length_bits, label_bits = draw(BATCH_SEED + step, [start, start + 1]).tolist()
        length = SHORTEST + length_bits % (LONGEST - SHORTEST + 1)
        label = label_bits % 2
        bits = draw(BATCH_SEED + step, np.arange(start + 2, start + 2 + 2 * length))
        ids = []
        for choice, u in bits.reshape(length, 2).tolist():
            if choice % 8 == 0:
                ids.append(CUES[label] + u % 16)
            else:
                cube = ((u * u >> 24) * u) >> 24
                ids.append(2 + (cube * (VOCABULARY - 2) >> 24))
        sequences.append(ids)
        labels.append(label)
    return sequences, labels


def train(dtype):
    """The loss of each step, taken before its update, as float64."""
    model = TutorialModel(VOCABULARY, EMBEDDING, HIDDEN, dropout=0.0)
    model.load_state_dict(weights(model))
    model = model.to(dtype)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    criterion = nn.BCEWithLogitsLoss()
    losses = []
    for step in range(STEPS):
        sequences, labels = batch(step)
        adam.zero_grad()
        loss = criterion(model(*pad(sequences)), torch.tensor(labels, dtype=dtype))
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


def main():
    torch.manual_seed(3)
    torch.set_num_threads(1)
    losses, exact = train(torch.float32), train(torch.float64)
    difference = max(abs(a - b) for a, b in zip(losses, exact))
    if difference > 1e-5:
        raise SystemExit(f"f32 and f64 differ by {difference}: the target is ill-posed")

    model = TutorialModel(VOCABULARY, EMBEDDING, HIDDEN, dropout=0.0)
    state, (sequences, labels) = weights(model), batch(0)
    golden = {
        "torch": torch.__version__,
        "config": {
            "steps": STEPS,
            "batch_size": BATCH,
            "vocabulary": VOCABULARY,
            "embedding": EMBEDDING,
            "hidden": HIDDEN,
            "num_layers": 2,
            "bidirectional": True,
            "dropout": 0.0,
            "padding": PADDING,
            "loss": "mean binary cross-entropy with logits",
            "optimizer": {
                "kind": "adam",
                "learning_rate": 1e-3,
                "beta1": 0.9,
                "beta2": 0.999,
                "epsilon": 1e-8,
            },
        },
        "formula": "README.md, 'tutorial_steps'",
        "check": {
            "parameters": sorted(state),
            "first_values": {k: v.flatten()[:3].tolist() for k, v in state.items()},
            "first_batch": {
                "lengths": [len(s) for s in sequences],
                "labels": labels,
                "first_review": sequences[0],
            },
        },
        "losses": losses,
        "losses_float64": exact,
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, f32 and f64 within {difference:.1e}")
    print(f"loss {losses[0]:.4f} at step 1, {losses[-1]:.4f} at step {STEPS}")


if __name__ == "__main__":
    main()
