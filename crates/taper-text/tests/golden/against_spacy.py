"""How far `english` agrees with spaCy's English tokenizer on IMDB reviews.

    pip install spacy tokenizers pyarrow
    python against_spacy.py plain_text/train-00000-of-00001.parquet

Takes every eighth review, with `<br />` as a space for both, and compares the borders of tokens.
"""

import re
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import spacy
from tokenizers import Tokenizer


def spans(text, tokens):
    """The borders of tokens that follow one another in a text, with white space between them or not."""
    found, end = set(), 0
    for token in tokens:
        start = text.index(token, end)
        end = start + len(token)
        found.add((start, end))
    return found


ours = Tokenizer.from_file(str(Path(__file__).parent / "english.tokenizer.json"))
theirs = spacy.blank("en").tokenizer
shared = in_ours = in_theirs = 0
for text in parquet.read_table(sys.argv[1], columns=["text"]).column("text").to_pylist()[::8]:
    text = ours.normalizer.normalize_str(re.sub(r"(?i)<br\s*/?>", " ", text))
    left = spans(text, [piece for piece, _ in ours.pre_tokenizer.pre_tokenize_str(text)])
    right = spans(text, [token.text for token in theirs(text) if not token.is_space])
    shared, in_ours, in_theirs = shared + len(left & right), in_ours + len(left), in_theirs + len(right)
print(f"{in_theirs} tokens of spaCy's: {100 * shared / in_theirs:.2f} % found; ", end="")
print(f"{in_ours} of ours: {100 * shared / in_ours:.2f} % are spaCy's")
