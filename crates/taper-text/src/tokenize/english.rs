//! The patterns of the `english` cut, each written once and used by the direct and by the portable path.
//!
//! They keep to what the `regex` crate, fancy-regex and Oniguruma (which Python's `tokenizers` uses) read alike: no
//! case folding, no `\s`, `\w` or `\b`, whose meanings differ, no look-around in the long patterns, and no repetition
//! that can meet another over the same characters, so that time is linear in a backtracking engine too.

use std::collections::BTreeMap;

/// Both apostrophes.
pub(super) const APOSTROPHES: [char; 2] = ['\'', '’'];

/// Abbreviations that keep their full stop, as spaCy has them.
const ABBREVIATIONS: &[&str] = &[
    "Adm", "Ak", "Ala", "Apr", "Ariz", "Ark", "Aug", "Bros", "Calif", "Co", "Colo", "Conn", "Corp",
    "Dec", "Del", "Dr", "Feb", "Fla", "Ga", "Gen", "Gov", "Ia", "Id", "Ill", "Inc", "Ind", "Jan",
    "Jr", "Jul", "Jun", "Kan", "Kans", "Ky", "La", "Ltd", "Mar", "Mass", "Md", "Messrs", "Mich",
    "Minn", "Miss", "Mo", "Mont", "Mr", "Mrs", "Ms", "Mt", "Neb", "Nebr", "Nev", "Nov", "Oct",
    "Okla", "Ore", "Pa", "Ph\\.D", "Prof", "Rep", "Rev", "Sen", "Sep", "Sept", "Sr", "St", "Tenn",
    "Va", "Wash", "Wis", "co", "vs",
    // After lower-casing; the others would take the stop off the end of a sentence.
    "mr", "mrs", "ms", "dr", "st", "jr", "sr", "prof", "ph\\.d",
];

/// Verbs and their `nt` written without the apostrophe; `wont`, `cant` and `shant` lose a letter as `won't` does.
const NEGATED: &[&str] = &[
    "ai", "are", "ca", "could", "dare", "did", "does", "do", "had", "has", "have", "is", "may",
    "might", "must", "need", "ought", "sha", "should", "was", "were", "wo", "would",
];

/// Pronouns and question words with a verb written onto them, without the apostrophe.
const CONTRACTED: &[(&str, &[&str])] = &[
    ("i", &["m", "ve"]),
    ("you", &["d", "ll", "re", "ve"]),
    ("he", &["d", "s"]),
    ("she", &["s"]),
    ("it", &["d", "ll"]),
    ("we", &["d", "ve"]),
    ("they", &["d", "ll", "re", "ve"]),
    ("that", &["d", "ll", "s"]),
    ("there", &["d", "ll", "re", "s", "ve"]),
    ("what", &["d", "ll", "re", "s", "ve"]),
    ("where", &["d", "ll", "re", "s", "ve"]),
    ("who", &["d", "ll", "s", "ve"]),
    ("how", &["d", "ll", "re", "s", "ve"]),
    ("why", &["d", "ll", "re", "s", "ve"]),
    ("could", &["ve"]),
    ("might", &["ve"]),
    ("must", &["ve"]),
    ("should", &["ve"]),
    ("would", &["ve"]),
    ("can", &["not"]),
    ("gon", &["na"]),
    ("got", &["ta"]),
];

/// Endings that are tokens of their own, the outermost first: `couldn't've` is `could n't 've`.
pub(super) const ENDINGS: &[&str] =
    &[r"['’](?:[sSmMdD]|[rR][eE]|[vV][eE]|[lL][lL])\z", r"[nN]['’][tT]\z"];

/// Matches one piece; what no piece matches is white space.
pub(super) fn piece() -> String {
    let letters = r"[\p{L}\p{M}]+";
    let number = r"\p{N}+(?:[.,:/]\p{N}+)*";
    // A run of letters or a number, with a hyphen only between the two kinds: PG-13, 20-year, but not sci-fi or 10-15.
    let unit = format!("(?:{letters}(?:-{number})?|{number}(?:-{letters})?)");
    // Joined inside a word: O'Brien, R&B, a_b, me@here, f**k; a full stop only before lower case or a number, so that
    // "end.Start" parts and "imdb.com" does not.
    let word =
        format!(r"{unit}+(?:(?:['’&@_]|\*+){unit}+|\.[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{N}}]{unit}*)*");
    [
        r"(?:https?://|www\.)[^\x{9}-\x{d}\x{20}\x{85}\p{Z}]*[\p{L}\p{N}/]".to_owned(),
        format!(r"(?:{})\.", ABBREVIATIONS.join("|")),
        // Initials and what is made of them: J. U.S. a.m. p.s.
        format!(r"\p{{L}}(?:\.\p{{L}})*\.(?:{unit}+)?"),
        "and/or|w/o".to_owned(),
        word,
        // Faces without letters, which a word might follow.
        r"[:;=]['’]?-?(?:\)+|\(+|[\]\[|])|<3+".to_owned(),
        r"\.\.+|-+|''|’’".to_owned(),
        r"[^\x{9}-\x{d}\x{20}\x{85}\p{Z}]".to_owned(),
    ]
    .join("|")
}

/// Words written as one, as head and tail: `can not`, `do nt`, `10 pm`.
pub(super) fn joined() -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> =
        NEGATED.iter().map(|verb| ((*verb).to_owned(), "nt".to_owned())).collect();
    for (head, tails) in CONTRACTED {
        pairs.extend(tails.iter().map(|tail| ((*head).to_owned(), (*tail).to_owned())));
    }
    let capitals: Vec<_> =
        pairs.iter().map(|(head, tail)| (capitalised(head), tail.clone())).collect();
    pairs.extend(capitals);
    for hour in 1..=12 {
        pairs.extend(["am", "pm", "a.m.", "p.m."].map(|half| (hour.to_string(), half.to_owned())));
    }
    pairs
}

/// The heads of [`joined`], each where its tail ends the piece: a short look-ahead a tail, tried at the start only.
pub(super) fn joined_pattern() -> String {
    let mut heads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (head, tail) in joined() {
        heads.entry(tail.replace('.', r"\.")).or_default().push(head);
    }
    let groups: Vec<String> =
        heads.iter().map(|(tail, heads)| format!(r"(?:{})(?={tail}\z)", heads.join("|"))).collect();
    format!(r"\A(?:{})", groups.join("|"))
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
