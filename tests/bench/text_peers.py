"""The rivals that prepare text in Python, a process that answers with times.

`cargo xtask bench text` starts it and asks for one at a time. By hand:

    python text_peers.py --folder FOLDER [--vectors FILE] [--dimensions N]

FOLDER has JSON lists of texts, words.json (the words to find in FILE, a vector file in
plain text) and Taper's own tokenizers, english.json and spacy.json. First comes a line
with the versions of what can be imported; then every line on stdin is answered by one
line of JSON on stdout, {"seconds": s} or {"error": why}:

    spacy TEXTS                  spaCy's blank English tokenizer, and a dict for the ids
    spacy-first-pass TEXTS       the same, made anew before the time is taken
    tokenizers-whitespace TEXTS  `tokenizers`: WordLevel behind Whitespace
    tokenizers-english TEXTS     `tokenizers`, with the tokenizer.json that Taper wrote
    tokenizers-spacy TEXTS
    polars                       Polars reads FILE, its numbers in f32, on all threads
    python                       plain Python, the numbers of the wanted words alone

What takes texts runs on one thread.
"""

import os

# Before any import: the libraries read them when they start.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import importlib
import json
import platform
import sys
import time
from array import array
from functools import cache
from pathlib import Path


def version_of(name):
    try:
        return importlib.import_module(name).__version__
    except ImportError:
        return None


class Peers:
    def __init__(self, folder, vectors, dimensions):
        self.folder, self.vectors, self.dimensions = folder, vectors, dimensions

    @cache
    def read(self, name):
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def spacy(self):
        import spacy

        tokenizer = spacy.blank("en").tokenizer
        ids = self.read("spacy.json")["model"]["vocab"]
        unknown = ids["<unk>"]
        return lambda texts: [
            [ids.get(token.text, unknown) for token in tokenizer(text)]
            for text in texts
        ]

    @cache
    def encoder(self, name):
        """What turns a list of texts into lists of ids."""
        if name == "spacy":
            return self.spacy()
        from tokenizers import Tokenizer, models, pre_tokenizers

        if name == "tokenizers-whitespace":
            vocabulary = self.read("english.json")["model"]["vocab"]
            tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
            tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        else:
            file = self.folder / f"{name.removeprefix('tokenizers-')}.json"
            tokenizer = Tokenizer.from_file(str(file))
        encode = tokenizer.encode_batch_fast
        return lambda texts: [encoding.ids for encoding in encode(texts)]

    def polars(self):
        import polars

        schema = {"word": polars.String}
        schema |= {f"v{i}": polars.Float32 for i in range(self.dimensions)}
        text = {"separator": " ", "has_header": False, "quote_char": None}
        return polars.read_csv(self.vectors, schema=schema, **text).height

    def python(self):
        wanted = self.wanted()
        rows = {}
        with open(self.vectors, "rb") as lines:
            for line in lines:
                word, _, numbers = line.partition(b" ")
                if word in wanted:
                    rows[word] = array("f", map(float, numbers.split()))
        return len(rows)

    @cache
    def wanted(self):
        return {word.encode() for word in self.read("words.json")}

    def seconds(self, mode, *texts):
        if mode in ("polars", "python"):
            work, wanted = getattr(self, mode), len(self.wanted())
        else:
            first = mode == "spacy-first-pass"
            encode = self.spacy() if first else self.encoder(mode)
            texts = self.read(*texts)
            work, wanted = lambda: len(encode(texts)), len(texts)
        start = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - start
        if found < wanted:
            raise ValueError(f"{found} found of {wanted}; vectors must be plain text")
        return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--dimensions", type=int, default=100)
    arguments = parser.parse_args()
    peers = Peers(arguments.folder, arguments.vectors, arguments.dimensions)
    hello = {name: version_of(name) for name in ("spacy", "tokenizers", "polars")}
    print(json.dumps(hello | {"python": platform.python_version()}), flush=True)
    for line in sys.stdin:
        try:
            reply = {"seconds": peers.seconds(*line.split())}
        except Exception as error:  # whatever it is, the asking side decides
            reply = {"error": f"{type(error).__name__}: {error}".split("\n")[0]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
