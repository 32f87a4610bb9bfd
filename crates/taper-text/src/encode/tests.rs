//! Ids from kept chunks against tokens cut without any cache.

use proptest::prelude::*;

use crate::normalize::Normalization;
use crate::tokenize::Tokenizer;
use crate::vocabulary::{TokenCounts, Vocabulary, VocabularyOptions};

/// With every second different token of the text in its vocabulary.
fn encoder(name: &str, lowercase: bool, text: &str) -> Tokenizer {
    let tokenizer = Tokenizer::named(name, Normalization { lowercase }).unwrap();
    let mut tokens = tokenizer.tokens(text).unwrap();
    tokens.sort();
    tokens.dedup();
    let mut counts = TokenCounts::new();
    tokens.iter().step_by(2).for_each(|token| counts.add(token));
    counts.add("filler");
    tokenizer
        .with_vocabulary(&Vocabulary::build(&counts, &VocabularyOptions::default()).unwrap())
        .unwrap()
}

fn expected(encoder: &Tokenizer, text: &str) -> Vec<u32> {
    let vocabulary = encoder.vocabulary().unwrap();
    let tokens = encoder.tokens(text).unwrap();
    tokens.iter().map(|token| vocabulary.id_or_unknown(token)).collect()
}

#[test]
fn a_chunk_that_others_have_a_say_in_is_cut_with_them() {
    let (alone, together) = ("see :)And", "good:) :)And");
    let encoder = encoder("spacy", false, together);
    for text in [alone, together, alone, "good:) :) :)And x", together] {
        assert_eq!(encoder.encode(text).unwrap(), expected(&encoder, text), "{text}");
    }
}

/// The texts that spaCy's golden cuts are of, each after all the others.
#[test]
fn golden_texts_have_the_ids_of_their_tokens() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/spacy.cuts.json");
    let rows: Vec<(String, serde_json::Value)> =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let texts: Vec<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
    for name in Tokenizer::NAMES {
        let encoder = encoder(name, false, &texts.join("\n"));
        for round in 0..2 {
            for text in &texts {
                let ids = encoder.encode(text).unwrap();
                assert_eq!(ids, expected(&encoder, text), "{name}, round {round}: {text:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_warm_cache_gives_what_a_cold_one_gives(
        text in r#"([a-cA-C]{1,3}|n't|'[sSmd]|’ll|cannot|Mr\.|U\.S|[0-9]{1,2}|[.,:;!?/*'"&@_<>()+-]|\.\.\.|:\)|;D|http://a\.b/|<br />|10pm|[ \t\n\u{a0}\u{2028}\u{85}\u{1c}]|  |\PC|[éßİΣ\u{301}\u{200b}\x00]){0,32}"#,
        lowercase: bool,
        name in prop::sample::select(Tokenizer::NAMES),
    ) {
        let encoder = encoder(name, lowercase, &text);
        let expected = expected(&encoder, &text);
        for _ in 0..2 {
            prop_assert_eq!(encoder.encode(&text).unwrap(), &expected[..]);
        }
        let all = encoder.encode_all(&[&text, "filler", &text]).unwrap();
        prop_assert_eq!(&all[2], &expected);
    }
}
