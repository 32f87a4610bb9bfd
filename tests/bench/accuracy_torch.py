"""Taper's recipe in PyTorch: the same tokens, vectors, batches and model, an accuracy an epoch.

    python accuracy_torch.py RUN/recipe.toml --prepared DIR [--epochs N] [--state FILE] [--threads N]
    python accuracy_torch.py RUN/recipe.toml --prepared DIR --check STEPS

RUN is a run of `taper train`, DIR the prepared data it was trained on. Prints a line of JSON after each epoch:
seed, epoch, train_loss, train_accuracy, the accuracy on every labelled split for judging, and real tokens a second
of training. With `--state` it saves all it needs after each epoch, and goes on from there when it is started again.

The batches are Taper's own, drawn from the recipe's seed. Initial weights and dropout masks are drawn from the same
distributions by PyTorch's generator, seeded by the recipe's seed. `--check` starts from the weights that the run
started from instead (it needs `train.evaluate = "before"` and no dropout) and holds the losses of the first STEPS
steps against those in RUN/metrics.jsonl.

A recipe with a key or a value that this file does not mirror is refused.
"""

import argparse
import json
import math
import os
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from accuracy_data import Split, epoch_batches, sorted_batches

TOLERANCE = 1e-4

# What prepared the data, and what says when to look or what to keep: nothing that the training depends on.
ELSEWHERE = (
    "description",
    "data",
    "text",
    "vectors",
    "train.evaluate_on",
    "train.evaluate",
    "train.select",
    "train.report_every",
    "train.activations",
    "train.checkpoint",
)
# Mirrored, whatever the value.
MIRRORED = {
    "seed",
    "model.hidden_size",
    "model.num_layers",
    "model.bidirectional",
    "model.padding",
    "model.dropout.embedding",
    "model.dropout.between_layers",
    "model.dropout.output",
    "train.epochs",
    "train.batch_size",
    "train.batches_per_pool",
    "train.max_length",
    "train.clip_norm",
    "train.freeze_embedding",
    "train.optimizer.learning_rate",
    "train.optimizer.beta1",
    "train.optimizer.beta2",
    "train.optimizer.epsilon",
    "train.optimizer.weight_decay",
    "train.optimizer.embedding_rate",
    "train.schedule.warmup",
    "train.schedule.floor",
}
# Mirrored with these values alone.
VALUES = {
    "model.pooling": ("last", "max", "mean", "concat"),
    "model.dropout.word": (0.0,),
    "model.dropout.vocabulary": (0.0,),
    "model.dropout.weight": (0.0,),
    "model.dropout.variational": (False,),
    "train.accumulate": (1,),
    "train.truncate": ("head",),
    "train.label_smoothing": (0.0,),
    "train.class_weights": ("none",),
    "train.precision": ("f32",),
    "train.optimizer.kind": ("adam", "adamw"),
    "train.optimizer.momentum": (0.0,),
    "train.optimizer.nesterov": (False,),
    "train.optimizer.embedding_frozen_steps": (0,),
    "train.schedule.kind": ("constant", "linear", "cosine"),
    # A plateau's, which is not mirrored: they have no say.
    "train.schedule.factor": (0.5,),
    "train.schedule.patience": (0,),
}


def refusals(table, prefix=""):
    """What of a recipe is not mirrored here, a line each."""
    for name, value in table.items():
        key = prefix + name
        if key in ELSEWHERE or key in MIRRORED:
            continue
        if isinstance(value, dict):
            yield from refusals(value, key + ".")
        elif key not in VALUES:
            yield f"`{key}` is not mirrored"
        elif value not in VALUES[key]:
            allowed = ", ".join(str(allowed) for allowed in VALUES[key])
            yield f"`{key}` = {value} is not mirrored; only {allowed}"


class Classifier(nn.Module):
    """Parameters by the names that Taper has for them; drawn as PyTorch draws them, which is how Taper does."""

    def __init__(self, recipe, vectors, classes, padding):
        super().__init__()
        model = recipe["model"]
        self.dropout, self.pooling = model["dropout"], model["pooling"]
        self.masks = model["padding"] == "mask"
        self.embedding = nn.Embedding(*vectors.shape, padding_idx=padding)
        with torch.no_grad():
            self.embedding.weight.copy_(vectors)
        self.embedding.weight.requires_grad_(not recipe["train"]["freeze_embedding"])
        # It holds the parameters; `forward` reads each direction of it by itself.
        self.rnn = nn.LSTM(
            vectors.shape[1],
            model["hidden_size"],
            model["num_layers"],
            bidirectional=model["bidirectional"],
        )
        features = model["hidden_size"] * (2 if model["bidirectional"] else 1)
        features *= 3 if self.pooling == "concat" else 1
        self.fc = nn.Linear(features, 1 if classes == 2 else classes)

    def forward(self, ids, lengths):
        """Logits `[B, outputs]`.

        Each direction is an LSTM of its own over the padded batch, the backward one over the texts turned round
        within their lengths: what padding does comes after all that counts, as if the batch were packed, and
        oneDNN computes it, which PyTorch does not use for packed batches.
        """
        steps, batch = ids.shape
        if not self.masks:
            lengths = torch.full_like(lengths, steps)
        time = torch.arange(steps).unsqueeze(1)
        mirror = torch.where(time < lengths, lengths - 1 - time, time)
        mirror = (mirror * batch + torch.arange(batch)).flatten()

        def turn(x):
            return x.flatten(0, 1).index_select(0, mirror).view(x.shape)

        x = F.dropout(self.embedding(ids), self.dropout["embedding"], self.training)
        for layer in range(self.rnn.num_layers):
            if layer > 0:
                x = F.dropout(x, self.dropout["between_layers"], self.training)
            outputs = [self.direction(x, f"l{layer}")]
            if self.rnn.bidirectional:
                back = self.direction(turn(x), f"l{layer}_reverse")
                outputs.append(turn(back))
            x = torch.cat(outputs, dim=2)
        pooled = self.pool(x, lengths, time < lengths)
        return self.fc(F.dropout(pooled, self.dropout["output"], self.training))

    def direction(self, x, name):
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        parameters = [getattr(self.rnn, f"{kind}_{name}") for kind in kinds]
        zeros = x.new_zeros(1, x.shape[1], self.rnn.hidden_size)
        return torch.lstm(
            x, (zeros, zeros), parameters, True, 1, 0.0, self.training, False, False
        )[0]

    def pool(self, x, lengths, real):
        real = real.unsqueeze(2)
        # The forward direction ends at a text's last token, the backward one at its first.
        half = self.rnn.hidden_size
        ends = x[lengths - 1, torch.arange(x.shape[1])]
        pooled = {
            "last": lambda: torch.cat((ends[:, :half], x[0, :, half:]), dim=1),
            "max": lambda: x.masked_fill(~real, -math.inf).amax(0),
            "mean": lambda: (x * real).sum(0) / lengths.unsqueeze(1),
        }
        if self.pooling != "concat":
            return pooled[self.pooling]()
        return torch.cat([part() for part in pooled.values()], dim=1)


def loss_and_right(logits, labels):
    """Mean cross-entropy in nats, and how many labels are the most probable class."""
    if logits.shape[1] > 1:
        return F.cross_entropy(logits, labels), (logits.argmax(1) == labels).sum()
    logits = logits.squeeze(1)
    loss = F.binary_cross_entropy_with_logits(logits, labels.float())
    return loss, ((logits > 0) == (labels == 1)).sum()


def rate(schedule, done):
    """The factor of the learning rate (crates/taper-train/src/schedule.rs)."""
    warmup, floor = schedule["warmup"], schedule["floor"]
    rising = min(done / warmup, 1.0) if warmup > 0 else 1.0
    after = min(max((done - warmup) / (1 - warmup), 0.0), 1.0)
    fall = {
        "constant": 1.0,
        "linear": floor + (1 - floor) * (1 - after),
        "cosine": floor + (1 - floor) * (1 + math.cos(math.pi * after)) / 2,
    }
    return rising * fall[schedule["kind"]]


class Trainer:
    """The recipe, the splits, the model and its optimizer."""

    def __init__(self, recipe, folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        if (
            recipe["vectors"]["missing"] == "normal"
            and manifest["seed"] != recipe["seed"]
        ):
            sys.exit(
                f"{folder} has the random vectors of seed {manifest['seed']}, the recipe is of seed "
                f"{recipe['seed']}; `taper prepare --set seed={recipe['seed']}` makes its own"
            )
        specials = manifest.get("specials", {"unknown": 0, "padding": 1})
        vectors = load_file(folder / "embeddings.safetensors")["embedding.weight"]
        self.recipe = recipe
        self.splits = {
            name: Split(folder, name, specials, recipe["train"].get("max_length"))
            for name, split in manifest["splits"].items()
            if name in ("train", "validation", "test")
            and split["unlabelled"] < split["rows"]
        }
        torch.manual_seed(recipe["seed"])
        classes = len(manifest["class_names"])
        self.model = Classifier(recipe, vectors, classes, specials["padding"])
        settings = recipe["train"]["optimizer"]
        rest = [
            p for name, p in self.model.named_parameters() if "embedding" not in name
        ]
        groups = [{"params": rest, "scale": 1.0}]
        if self.model.embedding.weight.requires_grad:
            scale = settings["embedding_rate"]
            groups.append({"params": [self.model.embedding.weight], "scale": scale})
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings["kind"]]
        self.optimizer = kind(
            groups,
            lr=settings["learning_rate"],
            betas=(settings["beta1"], settings["beta2"]),
            eps=settings["epsilon"],
            weight_decay=settings["weight_decay"],
        )

    def steps(self, epoch):
        """Learns an epoch, from 1; gives each step's mean loss, rows, rows that were right, and tokens."""
        split, train = self.splits["train"], self.recipe["train"]
        batches = epoch_batches(split.lengths, self.recipe, epoch)
        self.model.train()
        for number, rows in enumerate(batches):
            done = (epoch - 1 + number / len(batches)) / train["epochs"]
            step_size = train["optimizer"]["learning_rate"]
            step_size *= rate(train["schedule"], done)
            for group in self.optimizer.param_groups:
                group["lr"] = step_size * group["scale"]
            ids, lengths, labels = split.batch(rows)
            self.optimizer.zero_grad()
            loss, right = loss_and_right(self.model(ids, lengths), labels)
            loss.backward()
            if "clip_norm" in train:
                nn.utils.clip_grad_norm_(self.model.parameters(), train["clip_norm"])
            self.optimizer.step()
            yield loss.item(), len(rows), right.item(), lengths.sum().item()

    @torch.inference_mode()
    def accuracy(self, split):
        self.model.eval()
        right = 0
        for rows in sorted_batches(split.lengths, self.recipe["train"]["batch_size"]):
            ids, lengths, labels = split.batch(rows)
            right += loss_and_right(self.model(ids, lengths), labels)[1].item()
        return right / len(split.labels)

    def epoch(self, epoch):
        start = time.perf_counter()
        losses, rows, right, tokens = np.array(list(self.steps(epoch))).T
        seconds = time.perf_counter() - start
        line = {
            "seed": self.recipe["seed"],
            "epoch": epoch,
            "train_loss": float(losses @ rows / rows.sum()),
            "train_accuracy": right.sum() / rows.sum(),
            "tokens_per_s": round(tokens.sum() / seconds),
        }
        for name, split in self.splits.items():
            if name != "train":
                line[f"{name}_accuracy"] = self.accuracy(split)
        return line

    def save(self, path, epoch):
        state = {
            "epoch": epoch,
            "recipe": self.recipe,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": torch.get_rng_state(),
        }
        new = path.with_suffix(".new")
        torch.save(state, new)
        os.replace(new, path)

    def restore(self, path):
        """The epochs that are done."""
        state = torch.load(path)
        if state["recipe"] != self.recipe:
            sys.exit(f"{path} is of another recipe")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["generator"])
        return state["epoch"]


def check(trainer, run, count):
    """Holds the first `count` losses against the run's; whether they agree."""
    dropout = trainer.recipe["model"]["dropout"]
    if any(dropout[place] for place in ("embedding", "between_layers", "output")):
        sys.exit("--check compares losses: the recipe must have no dropout")
    initial = run / "checkpoints" / "step-00000000-evaluated" / "model.safetensors"
    if not initial.exists():
        sys.exit(
            f'{initial} is not there: the run needs `train.evaluate` = "before" '
            "and a `train.checkpoint.keep_last` that reaches back to its start"
        )
    own = trainer.model.state_dict()
    theirs = load_file(initial)
    for name, tensor in own.items():
        # The same distribution, by its spread: the embedding is the same to the bit.
        ratio = (theirs[name].std() / tensor.std()).item() if tensor.numel() > 1 else 1
        print(f"{name}: standard deviation, Taper's over PyTorch's: {ratio:.3f}")
    print("embedding equal:", own["embedding.weight"].equal(theirs["embedding.weight"]))
    trainer.model.load_state_dict(theirs)
    events = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    expected = (event["loss"] for event in events if event["event"] == "step")
    worst, steps = 0.0, 0
    for steps, ((loss, *_), other) in enumerate(zip(trainer.steps(1), expected), 1):
        worst = max(worst, abs(loss - other))
        print(f"step {steps}: PyTorch {loss:.7f}, Taper {other:.7f}")
        if steps == count:
            break
    print(f"largest difference in {steps} steps: {worst:.1e} (limit {TOLERANCE:.0e})")
    return 0 < steps == count and worst <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--epochs", type=int, help="stop after so many")
    parser.add_argument("--state", type=Path, help="save here, go on from here")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check", type=int, metavar="STEPS")
    arguments = parser.parse_args()

    recipe = tomllib.loads(arguments.recipe.read_text())
    if refused := list(refusals(recipe)):
        sys.exit(f"{arguments.recipe}: " + "; ".join(refused))
    # Before any other call: worker threads inherit the setting when they start.
    torch.set_flush_denormal(True)
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(recipe, arguments.prepared)
    if arguments.check:
        sys.exit(not check(trainer, arguments.recipe.parent, arguments.check))
    done = 0
    if arguments.state and arguments.state.exists():
        done = trainer.restore(arguments.state)
    for epoch in range(done + 1, (arguments.epochs or recipe["train"]["epochs"]) + 1):
        print(json.dumps(trainer.epoch(epoch)), flush=True)
        if arguments.state:
            trainer.save(arguments.state, epoch)


if __name__ == "__main__":
    main()
