"""Compares the ids that Taper gave every text with those that Python's `tokenizers` gives it by Taper's `tokenizer.json`.

    taper prepare --recipe tutorial --dataset imdb --vectors none --prepared DIR
    python portable_ids.py DIR [SPLIT ...]

Needs pyarrow and tokenizers. Without splits, those with labels. Prints, for each split, texts and ids in all,
texts whose ids differ, and how many ids of theirs are others (by the longest common parts).
"""

import sys
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path

import pyarrow.parquet as parquet
from tokenizers import Tokenizer

# Texts at a time: enough for all threads.
BATCH = 1000


def column(folder, split, name):
    files = sorted(folder.glob(f"{split}-*-of-*.parquet"))
    if not files:
        sys.exit(f"{folder} has no split {split}")
    for file in files:
        for batch in parquet.ParquetFile(file).iter_batches(BATCH, columns=[name]):
            yield from batch.column(0).to_pylist()


def changed(ours, theirs):
    """Ids of ours that have no counterpart in theirs, or the other way round, whichever are more."""
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return max(len(ours), len(theirs)) - sum(block.size for block in blocks)


def compare(prepared, tokenizer, split):
    texts = column(prepared / "corpus", split, "text")
    tokens = column(prepared / "encoded", split, "tokens")
    count, ids, others, differing = 0, 0, 0, 0
    while batch := list(islice(texts, BATCH)):
        encodings = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        for encoding, ours in zip(encodings, islice(tokens, len(batch)), strict=True):
            count += 1
            ids += len(ours)
            if encoding.ids != ours:
                others += 1
                differing += changed(ours, encoding.ids)
    return count, ids, others, differing


def main():
    prepared = Path(sys.argv[1])
    tokenizer = Tokenizer.from_file(str(prepared / "tokenizer.json"))
    for split in sys.argv[2:] or ["train", "test"]:
        texts, ids, others, differing = compare(prepared, tokenizer, split)
        print(f"{split}: {texts:,} texts, {ids:,} ids; {others:,} texts have other ids, {differing:,} of them", flush=True)


if __name__ == "__main__":
    main()
