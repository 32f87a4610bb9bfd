"""The rival on the CPU: PyTorch's speed on the tutorial model, in real (unpadded) tokens a second.

Eight batches of 30 at the 5, 20, 35, 50, 65, 80, 90 and 97 % quantiles of length, out of pools of 100 batches
sorted by length. A round trains one step (forward, backward, Adam) or infers once on each; its speed is all
tokens over all seconds, and the median round is printed, one JSON line a mode:

    padded   the whole padded batch in one call, which takes oneDNN: PyTorch's best (its last states see padding)
    packed   pack_padded_sequence, as the tutorial does

Denormals are flushed in both unless --keep-denormals is given.

    python pytorch_lstm.py --lengths FILE    # token counts of reviews, one integer a line

Without --lengths the lengths follow a log-normal curve with IMDB's mean (272) and 95 % quantile (699).
Measure on a quiet machine.
"""

import argparse
import json
import math
import random
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
from tutorial_model import TutorialModel, pad  # noqa: E402

QUANTILES = (0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.90, 0.97)
BATCH, POOL, VOCABULARY = 30, 100, 10_002


class PaddedModel(TutorialModel):
    def forward(self, ids, lengths):
        _, (hidden, _) = self.rnn(self.dropout(self.embedding(ids)))
        hidden = self.dropout(torch.cat((hidden[-2], hidden[-1]), dim=1))
        return self.fc(hidden).squeeze(1)


def imdb_like_lengths():
    curve, count = statistics.NormalDist(5.33, 0.74), 25_000
    logs = (curve.inv_cdf((i + 0.5) / count) for i in range(count))
    return [min(max(round(math.exp(log)), 10), 2789) for log in logs]


def bucketed(lengths):
    """The lengths of the eight batches."""
    lengths = lengths.copy()
    random.Random(1).shuffle(lengths)
    batches = []
    for start in range(0, len(lengths), BATCH * POOL):
        pool = sorted(lengths[start : start + BATCH * POOL])
        batches += [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
    batches = sorted((b for b in batches if len(b) == BATCH), key=lambda b: b[-1])
    if not batches:
        raise SystemExit(f"{len(lengths)} lengths; at least {BATCH} make a batch")
    return [batches[round(q * (len(batches) - 1))] for q in QUANTILES]


def synthetic(lengths):
    """Ids [T, B], lengths [B] and labels [B] for each batch."""
    torch.manual_seed(1)
    for batch in lengths:
        reviews = [torch.randint(2, VOCABULARY, (n,)).tolist() for n in batch]
        yield *pad(reviews), torch.randint(0, 2, (len(batch),)).float()


def median_speed(step, batches, rounds):
    step(*batches[0])
    tokens = sum(int(lengths.sum()) for _, lengths, _ in batches)
    speeds = []
    for _ in range(rounds):
        start = time.perf_counter()
        for batch in batches:
            step(*batch)
        speeds.append(tokens / (time.perf_counter() - start))
    return round(statistics.median(speeds))


def measure(model, batches, rounds):
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.BCEWithLogitsLoss()

    def train(ids, lengths, labels):
        adam.zero_grad()
        criterion(model(ids, lengths), labels).backward()
        adam.step()

    @torch.inference_mode()
    def infer(ids, lengths, _labels):
        model(ids, lengths)

    trained = median_speed(train, batches, rounds)
    model.eval()
    inferred = median_speed(infer, batches, rounds)
    return {"train_tokens_per_s": trained, "inference_tokens_per_s": inferred}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lengths", type=Path, help="token counts, one a line")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--keep-denormals", action="store_true", help="PyTorch as it comes"
    )
    arguments = parser.parse_args()

    # Before any other call: worker threads inherit the setting when they start.
    torch.set_flush_denormal(not arguments.keep_denormals)
    torch.set_num_threads(arguments.threads)
    if arguments.lengths:
        lengths = [int(line) for line in arguments.lengths.read_text().split()]
    else:
        lengths = imdb_like_lengths()
    batches = list(synthetic(bucketed(lengths)))
    longest = [len(ids) for ids, _, _ in batches]
    print(
        f"torch {torch.__version__}, longest of each batch {longest}", file=sys.stderr
    )

    for mode, kind in (("padded", PaddedModel), ("packed", TutorialModel)):
        torch.manual_seed(2)
        model = kind(VOCABULARY, embedding=100, hidden=256, dropout=0.5)
        speeds = measure(model, batches, arguments.rounds)
        print(json.dumps({"mode": mode} | speeds), flush=True)


if __name__ == "__main__":
    main()
