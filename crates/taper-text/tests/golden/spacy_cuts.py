"""What spaCy's blank English tokenizer makes of texts.json, of the texts below and of random ones: spacy.cuts.json.

    pip install spacy==3.8.18
    python spacy_cuts.py

A row a text: [text, [[start, end], …]], in bytes of UTF-8. (`generate.py` does the same for Python's `tokenizers`.)
"""

import json
import random
from pathlib import Path

import spacy

here = Path(__file__).parent
TEXTS = [
    # White space: one space after a word is no token, everything else is.
    "a b", " a", "a ", "a  b", "  ", "a \n b", "a\n\nb", "\u3000a\u2003b\u00a0c\x85d\x1ce\u200bf", "a\t b \tc", "\n",
    # Special cases, whole, with affixes, and put together again.
    "don't Don't DON'T don’t dont I'm Im i'm won't've couldn't've he'd've how'd'y y'all c'mon ma'am o'clock 'Cause",
    "(don't) \"I'm\" x-don't x/he's x-Mr.Bean Mr.Bean, Mr./Mrs. Dr.Who's 'em--cinema that'd. cannot, Gonna! let's",
    "10am 10a.m. (12p.m.) 13pm a.m. e.g., i.e.) Ph.D.s U.S. U.S.A. N.Y.C. D.C.'s vs. Inc.) a. Z. ä. and/or, w/o.",
    # Faces.
    ":) :-) great:) good:-( :)And ;D =D xD <3 <333 </3 o.O 0.0 (^_^) (ಠ_ಠ) ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*> -_- ^_^; :'-)",
    ": '( ( :) : ) ':' (:) ::)) :)))) :((( 8) 8-D",
    # Addresses, and what looks like one.
    "http://a.bc/d?e=1#f, (https://x.yz). www.imdb.com. user@mail.co.uk; mailto:me@x.org ftp://u:p@h.st:8080/a-b a@b",
    "8.8.8.8/x-y 10.0.0.1/x-y 127.0.0.1/x-y 172.16.0.1/x-y 172.32.0.1/x-y 192.168.1.1/x-y 223.1.1.254/a=b 224.1.1.1/a=b",
    "1.2.3.4:80/a:b 1.2.3.4:8/a:b 1.2.3.4:٣٣/a:b 01.2.3.4/a=b 1.2.3.255/a=b 256.1.1.1/a=b 199.99.00.1/a=b",
    "end.Start film.but lower.upper/a x.y.z/q=r a_b.com/x=y -a.com/x=y a-.com/x=y a..com/x=y é.fr/x=y 例え.jp/ü=ö",
    "a" * 63 + "a.com/x=y " + "a" * 65 + ".com/x=y a." + "b" * 63 + "/x=y a." + "b" * 64 + "/x=y",
    "日本://a.bc/d=e a\u0301b://a.bc/d=e ⓐⓑ://a.bc/d=e x://a.bc/d=e @a.bc/d=e a@@b.cd/e=f a.𠀀𠀀/x=y",
    # Numbers, units, currencies.
    "5km 5km. 5km² 10% 100%. $5 5$ US$5 5US$ A$ C$5 £3.50 3€ 7₽ 5g, 5MB/s 20th 1930s 3-D 1-2 1+1=2 2*2 2^-1 5+ +5 + 1,000.5",
    "20°C. 20°F 451°f. °K. 5кг 7км/ч. 3тбكم 4كم² 9كوب 6′ 5'11\" ½ ³ ٣٣",
    # Ellipses, dots, hyphens, quotes.
    "so...yes so…no ...and no… …… ………x a.. .b ..c d... e.f g.H I.J k.'L m.\"N \"o\".p q'.R s.t. U.V. ab. AB. Ab. aB. ÄÖ.",
    "a-b a--b a---b a----b a–b a—b a——b a———b a~b -a a- --a 1-a a-1 1-2-3 é-ß ж-я א-ב 中-文 a-.b x,y x,1 x:y x:1 x=y x<y>z x/y 1/y",
    "''a'' ‘b’ “c” „d“ «e» ‹f› `g` ´h´ 'i's ’s ‘s 'S ''s's a'b'c' rock'n'roll O'Brien's “It’s” 「日本」『語』（a）【b】〈c〉\u2329d\u232a",
    # Other scripts, symbols, odd characters.
    "日本語テスト。中文，测试、한국어 ไทย हिन्दी। العربية، עברית кино.Ёлка Καλημέρα.Κόσμε ß.Ä ǅ.ǆ ª.º ʰ.A",
    "👍🏽 👨‍👩‍👧 a👍b 🇬🇧 ☺️ ❤ ™ © a©b ° → ∞ a→b ★★★☆ \U0001fae0 \ufffd \uffff e\u0301.E\u0301 e\u0301-e\u0301 \u0301 \u200d",
    "nul\x00x \x00 \x7f soft\u00adhyphen bom\ufeff \u202eabc\u202c \U0010ffff \ue000",
    "§1 %a =b —c –d #e *f* _g_ ~h |i| \\j\\ ^k @l &m; <n> {o} [p] (q) !r? ¿s¡ f**k s***! AT&T C++ C# a|b| a\\b (((((((((())))))))))x((((",
    "<br /><br />The film(s) \"ended\".<br />(8/10)...\"Wow!\"--he said;it's",
]

tokenizer = spacy.blank("en").tokenizer
PARTS = [*"abcXYZSsUKmF0159", *".,.:;!?()[]{}<>_#*&-~+^=/'\"%$@\\|`°§", "…", "—", "–", "--", "...", "'s", "’s", "US$", "€", "km", "м/с",
         "http://", ".com", ":8080", "/p?x=1", "me@", "8.8.8.8", "日", "é", "e\u0301", "É", "ж", "ع", "ि", "👍", "\u0000", "\u200b",
         "Ⓐ", "½", "٣", "²", "ಠ_ಠ", "n't", "ª", "ǅ", "\u3000", "\u00a0", "\x1f", " ", " ", "  ", "\n", "\t"]
CASES = sorted(tokenizer.rules)
chance = random.Random(4)
for _ in range(400):
    parts = (chance.choice(CASES if chance.random() < 0.25 else PARTS) for _ in range(chance.choice([2, 3, 4, 6, 9, 14])))
    TEXTS.append("".join(parts))

rows = []
for text in json.loads((here / "texts.json").read_text(encoding="utf-8")) + TEXTS:
    if any(0xD800 <= ord(character) < 0xE000 for character in text):
        raise SystemExit(f"a lone surrogate in {text!a}")
    at = [0]
    for character in text:
        at.append(at[-1] + len(character.encode()))
    ranges = [[at[token.idx], at[token.idx + len(token)]] for token in tokenizer(text)]
    rows.append(json.dumps([text, ranges], separators=(",", ":")))
(here / "spacy.cuts.json").write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
