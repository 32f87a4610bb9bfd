//! The same `tokenizer.json` gives the same tokens and ids in Python: golden/*.python.json hold what the `tokenizers`
//! package from `PyPI` makes of golden/texts.json. To renew all of it after the cut has changed:
//!
//! ```text
//! cargo test -p taper-text --test golden -- --ignored
//! python crates/taper-text/tests/golden/generate.py      # with `pip install tokenizers`
//! ```
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use serde::Deserialize;
use taper_text::{Normalization, TokenCounts, Tokenizer, Vocabulary, VocabularyOptions};

#[derive(Deserialize)]
struct Row {
    tokens: Vec<String>,
    ids: Vec<u32>,
}

const FILES: [(&str, &str, bool); 5] = [
    ("english", "english", false),
    ("english-lower", "english", true),
    ("spacy", "spacy", false),
    ("unicode", "unicode", false),
    ("whitespace", "whitespace", false),
];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

/// Words that occur twice are known, the others are not.
fn trained(name: &str, lowercase: bool) -> Tokenizer {
    let tokenizer = Tokenizer::named(name, Normalization { lowercase }).unwrap();
    let counts = TokenCounts::counts_of(&read::<Vec<String>>("texts.json"), &tokenizer).unwrap();
    let options = VocabularyOptions { max_size: None, min_frequency: 2 };
    tokenizer.with_vocabulary(&Vocabulary::build(&counts, &options).unwrap()).unwrap()
}

#[test]
fn python_gives_the_same_tokens_and_ids() {
    let texts: Vec<String> = read("texts.json");
    for (file, name, lowercase) in FILES {
        let tokenizer = trained(name, lowercase);
        let committed = std::fs::read_to_string(golden(&format!("{file}.tokenizer.json"))).unwrap();
        assert_eq!(tokenizer.to_json().unwrap(), committed, "{file}: renew the golden files");
        let rows: Vec<Row> = read(&format!("{file}.python.json"));
        assert_eq!(rows.len(), texts.len());
        let library = tokenizers::Tokenizer::from_bytes(committed).unwrap();
        let mut different = 0;
        for (text, row) in texts.iter().zip(rows) {
            let ids = library.encode(text.as_str(), false).unwrap();
            assert_eq!(ids.get_ids(), row.ids, "{file}: {text}");
            if name == "spacy" {
                different += usize::from(tokenizer.tokens(text).unwrap() != row.tokens);
            } else {
                assert_eq!(tokenizer.tokens(text).unwrap(), row.tokens, "{file}: {text}");
                assert_eq!(tokenizer.encode(text).unwrap(), row.ids, "{file}: {text}");
            }
        }
        // The portable form of `spacy` is a likeness; most of these texts are made to be hard.
        assert!(different <= 12, "{file}: {different} texts are cut otherwise in Python");
    }
}

/// `golden/spacy.cuts.json`, by `golden/spacy_cuts.py`: spaCy's own tokens, in bytes.
#[test]
fn spacy_gives_the_same_tokens() {
    let rows: Vec<(String, Vec<[usize; 2]>)> = read("spacy.cuts.json");
    assert!(rows.len() > 450);
    for (text, expected) in rows {
        let found: Vec<[usize; 2]> = taper_text::spacy_tokens(&text)
            .into_iter()
            .map(|range| [range.start, range.end])
            .collect();
        let words = |ranges: &[[usize; 2]]| {
            ranges.iter().map(|[start, end]| text[*start..*end].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(words(&found), words(&expected), "{text:?}");
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
#[ignore = "writes the tokenizer files that generate.py reads"]
fn renew() {
    for (file, name, lowercase) in FILES {
        trained(name, lowercase).save(&golden(&format!("{file}.tokenizer.json"))).unwrap();
    }
}
