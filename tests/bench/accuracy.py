"""Taper and PyTorch train one recipe from several seeds: accuracies an epoch, side by side.

    python accuracy.py OUT [--recipe NAME|FILE] [--set KEY=VALUE]... [--seeds 1,2,3]
                       [--splits test] [--prepared DIR] [--data DIR] [--taper PATH] [--threads N]
    python accuracy.py OUT --table

What OUT has already is not trained again, and what was interrupted is gone on with: start it
again until it is through. With `--table` it only reads. A run of Taper is judged on one split, so
it is made once for each of `--splits`; `accuracy_torch.py` judges on all there are. Commands go to
stderr, tables in Markdown to stdout.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

SPLITS = ("validation", "test")


def call(command, stdout=sys.stderr):
    command = [str(part) for part in command]
    print("$", *command, file=sys.stderr, flush=True)
    try:
        subprocess.run(command, check=True, stdout=stdout)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is not there; `--taper` names a release build")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


def judged_splits(prepared, wanted):
    splits = json.loads((prepared / "manifest.json").read_text())["splits"]
    named = (name for name in wanted if name in splits)
    named = [
        name for name in named if splits[name]["unlabelled"] < splits[name]["rows"]
    ]
    return named or sys.exit(f"{prepared}: no labels in {', '.join(wanted)}")


def train(arguments):
    """Makes OUT/taper-SPLIT-SEED, a run, and OUT/torch-SEED.jsonl for every seed."""
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    prepared = arguments.prepared or out / "prepared"
    for seed in arguments.seeds:
        settings = [*arguments.set, f"seed={seed}"]
        options = ["--quiet", "--data", arguments.data, "--prepared", prepared]
        options += ["--recipe", arguments.recipe]
        options += [part for key in settings for part in ("--set", key)]
        # Where vectors are random, they are the seed's.
        call([arguments.taper, "prepare", *options])
        for split in judged_splits(prepared, arguments.splits):
            run = out / f"taper-{split}-{seed}"
            train_taper(arguments, options, split, run)
        command = [sys.executable, Path(__file__).with_name("accuracy_torch.py")]
        command += [run / "recipe.toml", "--prepared", prepared]
        command += ["--state", out / f"torch-{seed}.state"]
        command += ["--threads", arguments.threads]
        with open(out / f"torch-{seed}.jsonl", "a") as file:
            call(command, stdout=file)


def train_taper(arguments, options, split, run):
    command = [arguments.taper, "train", "--threads", arguments.threads]
    if (run / "report.html").exists():
        return
    if run.exists():
        call([*command, "--quiet", "--data", arguments.data, "--resume", run])
        return
    # Where and when it is judged: the training does not depend on it.
    judge = {"evaluate_on": split, "evaluate": "after", "select": "last"}
    judge = [f"train.{key}={value}" for key, value in judge.items()]
    command += [*options, "--out", run]
    call(command + [part for key in judge for part in ("--set", key)])


def read_lines(path):
    return map(json.loads, path.read_text().splitlines())


def read(out):
    """Figure, epoch and side to a value for each seed."""
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for run in out.glob("taper-*-*"):
        seed = int(run.name.split("-")[2])
        for event in read_lines(run / "metrics.jsonl"):
            if event["event"] == "evaluated":
                figure = f"{event['split']} accuracy"
            elif event["event"] == "epoch_finished":
                figure = "train accuracy"
            else:
                continue
            found[figure][event["epoch"]]["taper"][seed] = event["accuracy"]
    for path in out.glob("torch-*.jsonl"):
        for line in read_lines(path):
            for figure in (key for key in line if key.endswith("accuracy")):
                values = found[figure.replace("_", " ")][line["epoch"]]["torch"]
                values[line["seed"]] = line[figure]
    return found


def cell(values):
    text = f"{100 * mean(values):.2f}"
    return f"{text} ± {100 * stdev(values):.2f}" if len(values) > 1 else text


def difference(taper, torch):
    text = f"{100 * (mean(taper) - mean(torch)):+.2f}"
    if min(len(taper), len(torch)) < 2:
        return text
    error = sum(stdev(values) ** 2 / len(values) for values in (taper, torch)) ** 0.5
    return f"{text} ± {100 * error:.2f}"


def best_by_validation(found):
    """What `train.select = "best"` would choose: each seed's test accuracy, by side."""
    validation, test = (found[f"{split} accuracy"] for split in SPLITS)
    chosen = {"taper": [], "torch": []}
    for side, accuracies in chosen.items():
        seeds = [
            set(of[epoch][side]) for of in (validation, test) for epoch in validation
        ]
        for seed in set.intersection(*seeds) if seeds else ():
            best = max(
                sorted(validation), key=lambda epoch: validation[epoch][side][seed]
            )
            accuracies.append(test[best][side][seed])
    return list(chosen.values()) if all(chosen.values()) else None


def print_tables(found):
    for figure in ("train accuracy", *(f"{split} accuracy" for split in SPLITS)):
        epochs = {
            epoch: [list(sides[side].values()) for side in ("taper", "torch")]
            for epoch, sides in sorted(found[figure].items())
            if len(sides) == 2
        }
        if not epochs:
            continue
        print(f"\n| {figure}, % after epoch | Taper | PyTorch | difference | seeds |")
        print("| --- | --- | --- | --- | --- |")
        for epoch, (taper, torch) in epochs.items():
            cells = [epoch, cell(taper), cell(torch), difference(taper, torch)]
            cells.append(f"{len(taper)}, {len(torch)}")
            print("|", " | ".join(map(str, cells)), "|")
    if best := best_by_validation(found):
        print(
            "\nTest accuracy of each seed's best epoch by validation: "
            f"Taper {cell(best[0])}, PyTorch {cell(best[1])}, difference {difference(*best)}"
        )
    print(
        "\nMean ± standard deviation over seeds; the difference of means ± its standard error."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--seeds",
        type=lambda text: [int(seed) for seed in text.split(",")],
        default=[1, 2, 3],
    )
    parser.add_argument(
        "--splits", type=lambda text: text.split(","), default=SPLITS, help="of Taper's"
    )
    parser.add_argument("--prepared", type=Path, help="OUT/prepared by default")
    parser.add_argument("--data", default="data", help="the sample's folder")
    parser.add_argument("--taper", default="target/release/taper")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    if not arguments.table:
        train(arguments)
    print_tables(read(arguments.out))


if __name__ == "__main__":
    main()
