"""Prepared texts for `accuracy_torch.py`, in the very batches that Taper makes of them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch


def philox(seed, stream, step, indices):
    """Taper's random numbers (crates/taper-lstm/src/random.rs): four words for each index, `[n, 4]`."""
    low = np.uint64(0xFFFFFFFF)
    counter = [
        indices & low,
        indices >> np.uint64(32),
        np.full_like(indices, stream),
        np.full_like(indices, step),
    ]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a = counter[0] * np.uint64(0xD2511F53)
        b = counter[2] * np.uint64(0xCD9E8D57)
        counter = [
            (b >> np.uint64(32)) ^ counter[1] ^ np.uint64(key[0]),
            b & low,
            (a >> np.uint64(32)) ^ counter[3] ^ np.uint64(key[1]),
            a & low,
        ]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(counter, axis=1)


def order(seed, stream, step, first, count):
    """Places 0 to `count` sorted by the blocks from `first` on."""
    words = philox(seed, stream, step, np.arange(first, first + count, dtype=np.uint64))
    return np.lexsort(words.T[::-1])


def epoch_batches(lengths, recipe, epoch):
    """The rows of every batch of an epoch (crates/taper-train/src/batch.rs)."""
    size, seed = recipe["train"]["batch_size"], recipe["seed"]
    rows = order(seed, 0x2000, epoch, 0, len(lengths))
    batches = []
    for pool in chunks(rows, size * recipe["train"]["batches_per_pool"]):
        pool = list(chunks(pool[np.argsort(-lengths[pool], kind="stable")], size))
        places = order(seed, 0x2001, epoch, len(batches), len(pool))
        batches += [pool[place] for place in places]
    return batches


def sorted_batches(lengths, size):
    return chunks(np.argsort(-lengths, kind="stable"), size)


def chunks(rows, size):
    return (rows[start : start + size] for start in range(0, len(rows), size))


class Split:
    """The labelled texts of a split, as the model reads them."""

    def __init__(self, folder, name, specials, max_length):
        files = sorted((folder / "encoded").glob(f"{name}-*.parquet"))
        table = pa.concat_tables([pq.read_table(file) for file in files])
        table = table.filter(table["label"].is_valid())
        self.labels = table["label"].to_numpy()
        nothing = specials["padding" if specials["unknown"] is None else "unknown"]
        texts = (text.values.to_numpy()[:max_length] for text in table["tokens"])
        self.texts = [text if len(text) else np.array([nothing]) for text in texts]
        self.lengths = np.array([len(text) for text in self.texts])
        self.padding = specials["padding"]

    def batch(self, rows):
        """Ids `[T, B]`, lengths `[B]`, labels `[B]`."""
        lengths = self.lengths[rows]
        ids = np.full((lengths.max(), len(rows)), self.padding, dtype=np.int64)
        for column, row in enumerate(rows):
            ids[: lengths[column], column] = self.texts[row]
        labels = torch.from_numpy(self.labels[rows].astype(np.int64))
        return torch.from_numpy(ids), torch.from_numpy(lengths), labels
