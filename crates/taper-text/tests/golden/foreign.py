"""Tokenizers as other projects train them, small, and the ids that Python gives with them.

    python crates/taper-text/tests/golden/foreign.py      # with `pip install tokenizers==0.23.3`

Writes foreign-*.tokenizer.json and foreign.python.json beside texts.json, on which they are trained and tried; and
patterns.python.json, the pieces into which `Split` cuts by regular expressions that other engines read otherwise.
"""

import json
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
TEXTS = json.loads((HERE / "texts.json").read_text(encoding="utf-8"))


PATTERNS = [
    r"\w+|[^\w\s]+", r"\W+", r"\w", r"[\w-]+", r"[^\W_]+", r"[\W]", r"\b", r"\B", r"\b\w", r"^", r"$", r"^.", r".$", r"^$",
    r"\A.|.\Z", r"(?m).+", r"(?m:.b)", r"(?-m:.+)", r"(?mi:A.)", r"[\^$]", r"\\w|\$", r"[]\w]+", r"[^]\w]+", r"[[\w]&&[^a]]+",
    r"\<\w+\>", r"\p{N}{1,3}+", r"\w{2}?x", r"(?:ab|\d){1,2}+", r"[x-z]{2}?", r"a{,2}b", r"x(?i)b|C", r"((?i)a)b", r"((?m)\n.)x.",
    r"[+--]", r"[!~~]+", r"(?#[)^a", r"\p{^L}+", r"[\p{^L}]+", r"\P{^L}+", r"\R", r"[[:]a]", r"[\w[:;]]+", r"[[:;]x]|\w[.:]",
    r"(?<=\w)-(?=\w)", r"(?<!\w)\p{N}", r"(?i:A\w)", r"'s|\p{L}+|[^\s\p{L}]+",
]
NAMES = "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit".split()
PATTERNS += [f"[[:{name}:]]+" for name in NAMES] + [f"[[:^{name}:]x]+" for name in NAMES]
ODD = [
    "a\nb", "\n", "a\n", "\na\n\nb\n", "a\r\nb", "", "a²b ³¹¼½¾ ৴ Ⓐⓑ ⁵ Ⅻ", "na\u200cme a\u200db", "e\u0301te\u0301 été ÉTÉ",
    "snake_case-word ‿tie", "٣٤ 12 ௧", "\u00a0x\u2003y\u2028z\u0085w\u3000v", "§±×÷€ ¿qué? «guillemets» …", "中文 テスト 한국어 ไทย",
    "\u0378 \ue000 \U0001f600 \U0001f468\u200d\U0001f469", "\u0007bell\u009f\u00ad", "ßSS ſ K ŉ ǅ", "xB XB c C aB Ab ab AB <b> <bold> aab aaab 12345 1ab2 zzx", "+,-~!:;] a.w: \u000b\u000c", "\nax\nxx.",
    "don't [x]^y$ \\w ab Ab",
]


def patterns():
    rows = []
    for pattern in PATTERNS:
        split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
        pieces = [[piece for piece, _ in split.pre_tokenize_str(text)] for text in ODD]
        replaced = normalizers.Replace(tokenizers.Regex(pattern), "_")
        rows.append({"pattern": pattern, "pieces": pieces, "replaced": [replaced.normalize_str(text) for text in ODD]})
    return {"tokenizers": tokenizers.__version__, "texts": ODD, "rows": rows}


def byte_level_bpe():
    """As GPT-2: bytes, so nothing is unknown, and no padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def bpe():
    """With an unknown token, and truncation and padding set, as fine-tuned models leave them."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], limit_alphabet=40, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.enable_truncation(max_length=8)
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>", length=8)
    return tokenizer


def word_piece():
    """As BERT: [CLS] and [SEP] around every text."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=300,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        limit_alphabet=40,
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    return tokenizer


def unigram():
    """As SentencePiece, with a token added after training."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens(["Mr. Bean"])
    return tokenizer


def main():
    made = {"byte-bpe": byte_level_bpe(), "bpe": bpe(), "word-piece": word_piece(), "unigram": unigram()}
    golden = {"tokenizers": tokenizers.__version__}
    for name, tokenizer in made.items():
        path = HERE / f"foreign-{name}.tokenizer.json"
        tokenizer.save(str(path), pretty=False)
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        encodings = [tokenizer.encode(text) for text in [*TEXTS, ""]]
        golden[name] = [{"ids": encoding.ids, "tokens": encoding.tokens} for encoding in encodings]
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    (HERE / "foreign.python.json").write_text(text + "\n", encoding="utf-8")
    text = json.dumps(patterns(), ensure_ascii=False, separators=(",", ":"))
    (HERE / "patterns.python.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
