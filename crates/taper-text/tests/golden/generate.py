"""What Python's `tokenizers` makes of texts.json with the tokenizer files beside this script.

    pip install tokenizers        # 0.23.3 was used
    python generate.py

`whitespace`, `unicode`, `english`, `english-lower` and `spacy`: a row per text, {"tokens": […], "ids": […]}.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer

here = Path(__file__).parent
texts = json.loads((here / "texts.json").read_text(encoding="utf-8"))
for file in sorted(here.glob("*.tokenizer.json")):
    if file.name.startswith("foreign-"):  # foreign.py's
        continue
    tokenizer = Tokenizer.from_file(str(file))
    rows = []
    for text in texts:
        normalized = tokenizer.normalizer.normalize_str(text)
        pieces = tokenizer.pre_tokenizer.pre_tokenize_str(normalized)
        tokens = [piece for piece, _ in pieces if piece]
        rows.append({"tokens": tokens, "ids": tokenizer.encode(text, add_special_tokens=False).ids})
    name = file.name.replace(".tokenizer.json", ".python.json")
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (here / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
