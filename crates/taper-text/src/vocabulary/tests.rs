//! Counting and numbering, with torchtext's semantics.

use super::*;
use crate::Tokenizer;
use crate::normalize::Normalization;
use proptest::prelude::*;

fn counts(tokens: &[&str]) -> TokenCounts {
    let mut counts = TokenCounts::new();
    for token in tokens {
        counts.add(token);
    }
    counts
}

fn build(tokens: &[&str], max_size: Option<usize>, min_frequency: u64) -> Result<Vocabulary> {
    Vocabulary::build(&counts(tokens), &VocabularyOptions { max_size, min_frequency })
}

#[test]
fn specials_first_then_by_count_ties_in_code_point_order() {
    let words = ["b", "a", "Z", "é", "z", "a", "𝒳", "\u{ffff}"];
    let vocabulary = build(&words, None, 1).unwrap();
    assert_eq!(vocabulary.tokens(), ["<unk>", "<pad>", "a", "Z", "b", "z", "é", "\u{ffff}", "𝒳"]);
    assert_eq!(
        (vocabulary.id("a"), vocabulary.id("<pad>"), vocabulary.id("q")),
        (Some(2), Some(1), None)
    );
    assert_eq!((vocabulary.token(0), vocabulary.token(9)), (Some("<unk>"), None));
}

#[test]
fn the_size_leaves_out_the_specials_and_the_frequency_is_a_least_count() {
    let words = ["x", "x", "x", "y", "y", "w", "w", "v"];
    assert_eq!(build(&words, Some(2), 1).unwrap().tokens()[2..], ["x", "w"]);
    assert_eq!(build(&words, None, 2).unwrap().tokens()[2..], ["x", "w", "y"]);
    assert_eq!(build(&words, Some(9), 3).unwrap().tokens()[2..], ["x"]);
}

#[test]
fn literal_specials_in_the_text_give_no_second_entry() {
    let vocabulary = build(&["<pad>", "<pad>", "<unk>", "a"], None, 1).unwrap();
    assert_eq!(vocabulary.tokens(), ["<unk>", "<pad>", "a"]);
}

#[test]
fn no_words_are_an_error_that_says_what_was_counted() {
    let error = build(&["a", "b", "a"], None, 3).unwrap_err().to_string();
    assert!(
        error.contains("3 tokens of 2 different words") && error.contains("3 times or more"),
        "{error}"
    );
    assert!(matches!(build(&[], None, 1), Err(Error::EmptyVocabulary { tokens: 0, .. })));
    assert!(matches!(build(&["<unk>"], None, 1), Err(Error::EmptyVocabulary { .. })));
    assert!(matches!(build(&["a"], Some(0), 1), Err(Error::Option { option: "max_size", .. })));
}

#[test]
fn a_list_that_is_no_vocabulary_is_refused_by_entry() {
    let list =
        |tokens: &[&str]| Vocabulary::from_tokens(tokens.iter().map(ToString::to_string).collect());
    for (tokens, id) in [
        (&["a"][..], 0),
        (&["<unk>", "a"], 1),
        (&["<unk>", "<pad>"], 2),
        (&["<unk>", "<pad>", "a", "b", "a"], 4),
    ] {
        let error = list(tokens).unwrap_err();
        assert!(
            matches!(error, Error::VocabularyEntry { id: found, .. } if found == id),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn the_order_of_counting_and_merging_makes_no_difference(
        mut parts in prop::collection::vec(prop::collection::vec("[ab<]{1,2}", 0..8), 1..6),
        turn in 0_usize..6,
    ) {
        let merged = |parts: &[Vec<String>]| {
            let mut all = TokenCounts::new();
            for part in parts {
                all.merge(counts(&part.iter().map(String::as_str).collect::<Vec<_>>()));
            }
            all
        };
        let before = merged(&parts);
        let places = parts.len();
        parts.rotate_left(turn % places);
        for part in &mut parts {
            part.reverse();
        }
        prop_assert_eq!(&before, &merged(&parts));
        prop_assert_eq!(before.total(), parts.iter().map(|part| part.len() as u64).sum::<u64>());

        let texts: Vec<String> = parts.iter().map(|part| part.join(" ")).collect();
        let tokenizer = Tokenizer::named("whitespace", Normalization::default()).unwrap();
        prop_assert_eq!(before, TokenCounts::counts_of(&texts, &tokenizer).unwrap());
    }
}
