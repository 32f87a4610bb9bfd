//! The scanner: special cases, what comes between tokens, and texts made to be slow. Golden cuts are in `tests/golden`.

use proptest::prelude::*;

use super::*;

fn tokens(text: &str) -> Vec<&str> {
    spacy_tokens(text).into_iter().map(|range| &text[range]).collect()
}

#[test]
fn every_special_case_is_cut_as_it_is_written() {
    let mut cases = 0;
    for case in special_cases() {
        assert_eq!(tokens(&case.tokens.concat()), case.tokens);
        cases += 1;
    }
    assert_eq!(cases, 1343);
}

#[test]
fn a_chunk_loses_its_ends_then_falls_apart_in_the_middle() {
    for (text, expected) in [
        ("(\"Don't\"),", "(|\"|Do|n't|\"|)|,"),
        ("x-don't x/he's", "x|-|don't|x|/|he|'s"),
        ("Mr.Bean good:) and :)And", "Mr.|Bean|good|:)|and|:)|And"),
        // `)` and `:` are a face too, which hides the second one, though the space keeps it from being one itself.
        ("good:) :)And", "good|:)|:|)|And"),
        ("see http://a.bc/d-e?f=g.", "see|http://a.bc/d-e?f=g|."),
        ("5km 100%! U.S. ab. AB. Ab.", "5|km|100|%|!|U.S.|ab|.|AB|.|Ab|."),
        ("so...yes a--b 1-2-3 film(s)", "so|...|yes|a|--|b|1|-|2|-|3|film(s|)"),
    ] {
        let found = tokens(text).join("|");
        assert!(found == expected, "{text}: {found}");
    }
}

#[test]
fn white_space_is_a_token_but_for_one_space_after_a_word() {
    for (text, expected) in [
        ("", vec![]),
        (" ", vec![" "]),
        ("a b", vec!["a", "b"]),
        ("a ", vec!["a"]),
        (" a  b", vec![" ", "a", " ", "b"]),
        ("a \n\u{3000}b\u{1f}", vec!["a", "\n\u{3000}", "b", "\u{1f}"]),
        ("a\u{200b}\u{feff}\0b", vec!["a\u{200b}\u{feff}\0b"]),
    ] {
        assert_eq!(tokens(text), expected, "{text:?}");
    }
}

/// A mebibyte each without white space: minutes, if anything took quadratic time.
#[test]
fn endless_chunks_take_linear_time() {
    let many = 1 << 20;
    for part in [
        "a", "1", "(", ")", "a.", ".", "a-", "-", "a@", "a@b.c", "://", "a.b/", "http://", "1km",
        "5", "+", "e\u{301}", "中", "'s", "'", "…", "—", ":)", "><(((*>", "\0", "👍", "n't", "Mr.",
        "a,", "A.", "1.", "www.", "_", "$", "°C.",
    ] {
        let text = part.repeat(many / part.len());
        let spans = spans(&text);
        assert_eq!(
            spans.iter().map(|span| span.end - span.start).sum::<usize>(),
            text.len(),
            "{part}"
        );
    }
    let mixed = "(".repeat(many) + "a" + &")".repeat(many) + &"...".repeat(many);
    assert_eq!(tokens(&mixed).len(), 2 * many + 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Borders are those of characters, in order; between two tokens stands nothing or one space.
    #[test]
    fn nothing_is_lost_and_nothing_overlaps(
        text in r#"(\PC|[ \t\n\u{85}\u{3000}]|[a-cA-C]|n't|'s|\.|\.\.\.|:\)|Mr\.|[0-9]|km|http://a\.bc/|[-,:/'"()@]){0,40}"#,
    ) {
        let mut end = 0;
        for range in spacy_tokens(&text) {
            let between = text.get(end..range.start).unwrap();
            prop_assert!(between.is_empty() || between == " ");
            prop_assert!(!text.get(range.clone()).unwrap().is_empty());
            end = range.end;
        }
        let rest = &text[end..];
        prop_assert!(rest.is_empty() || rest == " ");
    }
}
