"""How far Taper's cuts agree with spaCy's blank English tokenizer, text by text and token by token.

    pip install spacy==3.8.18 tokenizers pyarrow
    cargo build --release -p taper-text --example spacy_tokens
    python against_spacy.py target/release/examples/spacy_tokens [--every 8] FILE …

A file is Parquet with a column `text`, or has a JSON string a line. Four comparisons, each token for token by its borders:

- `spacy, as it stands`: the scanner on the texts as they are
- `spacy, normalised`: the scanner on what Taper's normalization (NFC, `<br />`) makes of them; so the others too
- `spacy, tokenizer.json`: its portable likeness, as Python's `tokenizers` runs it
- `english`: the other cut; white space, which is no token of its, is left out
"""

import argparse
import json
import subprocess
from pathlib import Path

import pyarrow.parquet as parquet
import spacy
from tokenizers import Tokenizer

here = Path(__file__).parent
theirs = spacy.blank("en").tokenizer
english = Tokenizer.from_file(str(here / "english.tokenizer.json"))
likeness = Tokenizer.from_file(str(here / "spacy.tokenizer.json"))


def texts_of(file):
    if file.suffix == ".parquet":
        return parquet.read_table(file, columns=["text"]).column("text").to_pylist()
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def spans(text, white_space=True):
    return {(token.idx, token.idx + len(token)) for token in theirs(text) if white_space or not token.is_space}


def scanned(scanner, texts):
    """The scanner's tokens, in characters."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    out = subprocess.run([scanner], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    for text, line in zip(texts, out.splitlines(), strict=True):
        ranges = json.loads(line)
        if not text.isascii():
            at, end = {}, 0
            for index, character in enumerate(text):
                at[end] = index
                end += len(character.encode())
            at[end] = len(text)
            ranges = [(at[start], at[end]) for start, end in ranges]
        yield {tuple(pair) for pair in ranges}


class Count:
    def __init__(self, name):
        self.name, self.texts, self.same_texts, self.tokens, self.same_tokens = name, 0, 0, 0, 0

    def add(self, found, expected):
        self.texts += 1
        self.same_texts += found == expected
        self.tokens += len(expected)
        self.same_tokens += len(found & expected)

    def show(self):
        print(
            f"{self.name}: {self.same_tokens:,} of {self.tokens:,} tokens ({100 * self.same_tokens / self.tokens:.4f} %), "
            f"{self.same_texts:,} of {self.texts:,} texts ({100 * self.same_texts / self.texts:.2f} %)"
        )


arguments = argparse.ArgumentParser()
arguments.add_argument("scanner", type=Path)
arguments.add_argument("files", type=Path, nargs="+")
arguments.add_argument("--every", type=int, default=1, help="only every so manieth text")
arguments = arguments.parse_args()
texts = [text for file in arguments.files for text in texts_of(file)][:: arguments.every]
normalised = [english.normalizer.normalize_str(text) for text in texts]
raw, clean, portable, other = map(
    Count, ["spacy, as it stands", "spacy, normalised", "spacy, tokenizer.json", "english"]
)
for text, found in zip(texts, scanned(arguments.scanner, texts), strict=True):
    raw.add(found, spans(text))
raw.show()
for text, found in zip(normalised, scanned(arguments.scanner, normalised), strict=True):
    expected = spans(text)
    clean.add(found, expected)
    portable.add({span for _, span in likeness.pre_tokenizer.pre_tokenize_str(text)}, expected)
    other.add({span for _, span in english.pre_tokenizer.pre_tokenize_str(text)}, spans(text, white_space=False))
for count in (clean, portable, other):
    count.show()
