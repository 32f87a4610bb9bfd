"""Writes the two tables beside this script from an installed spaCy (MIT licence).

    pip install spacy==3.8.18
    python generate.py

`exceptions.txt`: the special cases of `spacy.blank("en").tokenizer`, one a line, tokens apart by a space. `alphabet.rs`:
spaCy's classes of characters (`spacy/lang/char_classes.py`), merged into ranges.
"""

import re
from pathlib import Path

import spacy
from spacy.attrs import ORTH
from spacy.lang import char_classes as classes

here = Path(__file__).parent
characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]

rules = spacy.blank("en").tokenizer.rules
lines = [
    f"# The special cases of spaCy {spacy.__version__}'s blank English tokenizer, written by generate.py.",
    "# spaCy is (c) ExplosionAI GmbH, MIT licence: see LICENSE. One case a line, its tokens apart by a space.",
]
for text in sorted(rules):
    tokens = [token[ORTH] for token in rules[text]]
    assert "".join(tokens) == text
    if text.isspace():  # A run of white space is one token in any case.
        assert len(tokens) == 1
        continue
    assert not any(character.isspace() for character in text) and not text.startswith("#")
    lines.append(" ".join(tokens))
(here / "exceptions.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def members(pattern):
    return {character for character in characters if re.fullmatch(pattern, character)}


def notation(found):
    """Ranges as a class of a regular expression has them: `a-zß-ö`."""
    ranges = []
    for code in sorted(map(ord, found)):
        if ranges and ranges[-1][1] + 1 == code:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    name = lambda code: chr(code) if 0x21 <= code < 0x530 or 0x1E00 <= code < 0x1F00 else f"\\u{{{code:x}}}"
    parts = []
    for first, last in ranges:
        assert ord("-") not in (first, last)
        parts.append(name(first) if first == last else f"{name(first)}-{name(last)}")
    return parts


def constant(name, doc, found):
    lines, line = [], ""
    for part in notation(found):
        if len(line) + len(part) > 110:
            lines.append(line)
            line = ""
        line += part
    body = "\\\n    ".join([*lines, line])
    return f'\n/// {doc}\npub(super) const {name}: &str = "\\\n    {body}";\n'


uncased = members(f"[{classes._uncased}]")
lower = members(f"[{classes.ALPHA_LOWER}]") - uncased
upper = members(f"[{classes.ALPHA_UPPER}]") - uncased
alpha = members(f"[{classes.ALPHA}]")
assert uncased | lower | upper <= alpha
(here / "alphabet.rs").write_text(
    f"//! spaCy {spacy.__version__}'s classes of characters, as ranges; written by `generate.py`, not by hand.\n"
    "// spaCy is (c) ExplosionAI GmbH, MIT licence: see `LICENSE` beside this file.\n"
    + constant("LOWER", "Letters that are lower case.", lower)
    + constant("UPPER", "Letters that are upper case.", upper)
    + constant("UNCASED", "Letters and whole blocks of scripts without case: spaCy counts them as both.", uncased)
    + constant("OTHER_LETTERS", "Letters that spaCy lists under neither case.", alpha - uncased - lower - upper)
    + constant("ICONS", "Symbols: dingbats, arrows, emoji.", members(f"[{classes.ICONS}]"))
    + constant("DIGITS", "What `\\\\d` matches in Python.".replace("\\\\", "\\"), members(r"\d")),
    encoding="utf-8",
)
