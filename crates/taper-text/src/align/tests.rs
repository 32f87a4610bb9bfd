//! Alignment: lookups by case, rows without a vector, coverage.

use super::*;
use crate::error::Error;
use crate::vocabulary::VocabularyOptions;

fn fixture() -> (Vocabulary, TokenCounts, Vectors) {
    let mut counts = TokenCounts::new();
    for (word, count) in [("The", 5), ("the", 4), ("Film", 3), ("zzz", 2), ("aaa", 2), ("rare", 1)]
    {
        (0..count).for_each(|_| counts.add(word));
    }
    let options = VocabularyOptions { max_size: Some(5), min_frequency: 1 };
    let vocabulary = Vocabulary::build(&counts, &options).unwrap();
    let mut vectors = Vectors::new(2).unwrap();
    for (word, vector) in
        [("the", [1.0, 2.0]), ("film", [3.0, 4.0]), ("Film", [5.0, 6.0]), ("rare", [7.0, 8.0])]
    {
        vectors.insert(word, &vector).unwrap();
    }
    vectors.insert("<pad>", &[9.0, 9.0]).unwrap();
    vectors.insert("<unk>", &[9.0, 9.0]).unwrap();
    (vocabulary, counts, vectors)
}

fn aligned(case: Case, missing: Missing, seed: u64) -> Alignment {
    let (vocabulary, counts, vectors) = fixture();
    align(&vocabulary, &counts, &vectors, &AlignOptions { case, missing, seed }).unwrap()
}

#[test]
fn rows_follow_the_ids_and_the_case() {
    // <unk> <pad> The the Film aaa zzz
    let nothing = [0.0, 0.0];
    for (case, the, film, rows) in [
        (Case::Exact, nothing, [5.0, 6.0], 2),
        (Case::Lower, [1.0, 2.0], [3.0, 4.0], 3),
        (Case::Fallback, [1.0, 2.0], [5.0, 6.0], 3),
    ] {
        let alignment = aligned(case, Missing::Zero, 0);
        let expected = [nothing, nothing, the, [1.0, 2.0], film, nothing, nothing].concat();
        assert_eq!((alignment.matrix, alignment.dimensions), (expected, 2), "{case:?}");
        assert_eq!(alignment.coverage.rows_with_vector, rows);
        let the = case != Case::Exact;
        assert_eq!(alignment.has_vector, [false, false, the, true, true, false, false]);
    }
}

#[test]
fn coverage_counts_words_and_tokens_and_names_the_missing() {
    let missing = |token: &str, count| MissingWord { token: token.to_owned(), count };
    let expected = Coverage {
        vocabulary_rows: 5,
        rows_with_vector: 2,
        tokens: 17,
        tokens_in_vocabulary: 16,
        tokens_with_vector: 7,
        most_frequent_missing: vec![missing("The", 5), missing("aaa", 2), missing("zzz", 2)],
        options: Gains {
            exact: Reach { rows: 2, tokens: 7 },
            lower: Reach { rows: 3, tokens: 12 },
            fallback: Reach { rows: 3, tokens: 12 },
            // `The` shares `<th`, `the`, `<the` and its like with `the`.
            subwords: Reach { rows: 1, tokens: 5 },
        },
    };
    let coverage = aligned(Case::Exact, Missing::Zero, 0).coverage;
    assert_eq!(coverage, expected);
    let json = serde_json::to_string(&coverage).unwrap();
    assert_eq!(serde_json::from_str::<Coverage>(&json).unwrap(), expected);
}

#[test]
fn padding_is_zero_and_the_unknown_row_is_drawn() {
    for missing in [Missing::Normal { std: 1.0 }, Missing::Uniform { bound: 1.0 }] {
        let matrix = aligned(Case::Exact, missing, 7).matrix;
        assert_eq!(matrix[2..4], [0.0, 0.0]);
        assert!(matrix[0] != 0.0 && matrix[0] < 9.0 && matrix[10] != 0.0);
    }
}

#[test]
fn a_row_depends_on_the_seed_and_its_id_alone() {
    let normal = Missing::Normal { std: 1.0 };
    let (exact, lower) = (aligned(Case::Exact, normal, 7), aligned(Case::Lower, normal, 7));
    assert_eq!(exact.matrix[10..], lower.matrix[10..], "the rows before it take no draws from it");
    assert_eq!(exact, aligned(Case::Exact, normal, 7));
    assert_ne!(exact.matrix[10..], aligned(Case::Exact, normal, 8).matrix[10..]);
    assert_ne!(exact.matrix[10..12], exact.matrix[12..14]);
}

#[test]
fn draws_have_the_moments_asked_for() {
    let moments = |missing: Missing| {
        let mut row = vec![0.0; 40_000];
        missing.draw(&mut row, 1, 5);
        let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / 4e4;
        let variance =
            row.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / 4e4;
        let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        (mean, variance.sqrt(), largest)
    };
    let (mean, std, _) = moments(Missing::Normal { std: 0.5 });
    assert!(mean.abs() < 0.01 && (std - 0.5).abs() < 0.01, "{mean} {std}");
    let (mean, std, largest) = moments(Missing::Uniform { bound: 0.3 });
    assert!(mean.abs() < 0.01 && (std - 0.3 / 3_f64.sqrt()).abs() < 0.01, "{mean} {std}");
    assert!(largest <= 0.3 && largest > 0.299, "{largest}");
}

#[test]
fn the_report_names_fifty_words_at_most() {
    let mut counts = TokenCounts::new();
    (0..80).for_each(|word| counts.add(&format!("w{word:02}")));
    let vocabulary = Vocabulary::build(&counts, &VocabularyOptions::default()).unwrap();
    let coverage = align(&vocabulary, &counts, &Vectors::new(3).unwrap(), &AlignOptions::default())
        .unwrap()
        .coverage;
    assert_eq!(coverage.most_frequent_missing.len(), 50);
    assert_eq!(coverage.most_frequent_missing[49].token, "w49");
}

#[test]
fn a_senseless_spread_is_refused() {
    let (vocabulary, counts, vectors) = fixture();
    for missing in [Missing::Normal { std: -1.0 }, Missing::Uniform { bound: f32::NAN }] {
        let options = AlignOptions { missing, ..AlignOptions::default() };
        assert!(matches!(
            align(&vocabulary, &counts, &vectors, &options),
            Err(Error::Option { .. })
        ));
    }
}

#[test]
fn spellings_name_all_that_is_looked_up() {
    let (vocabulary, _, _) = fixture();
    let mut words: Vec<_> = spellings(&vocabulary).into_iter().collect();
    words.sort();
    assert_eq!(words.join(" "), "Film The aaa film the zzz");
}

/// A vocabulary of these words, the first the most frequent, and vectors for some of them.
fn subwords_of(words: &[&str], vectors: &[(&str, [f32; 2])]) -> (Vocabulary, Alignment) {
    let mut counts = TokenCounts::new();
    for (word, count) in words.iter().rev().zip(1..) {
        (0..count).for_each(|_| counts.add(word));
    }
    let vocabulary = Vocabulary::build(&counts, &VocabularyOptions::default()).unwrap();
    let mut table = Vectors::new(2).unwrap();
    for (word, vector) in vectors {
        table.insert(word, vector).unwrap();
    }
    let options = AlignOptions { missing: Missing::Subwords, ..AlignOptions::default() };
    let alignment = align(&vocabulary, &counts, &table, &options).unwrap();
    (vocabulary, alignment)
}

#[test]
fn a_word_without_a_vector_is_the_mean_over_its_subwords() {
    let words = ["abc", "bcd", "xyz", "ABCD", "qqq", "uvw"];
    let vectors = [("abc", [1.0, 0.0]), ("bcd", [0.0, 2.0]), ("xyz", [100.0, 100.0])];
    let (vocabulary, alignment) = subwords_of(&words, &vectors);
    let row = |word: &str| {
        let start = 2 * vocabulary.id(word).unwrap() as usize;
        &alignment.matrix[start..start + 2]
    };
    assert_eq!((row("abc"), row("bcd")), (&[1.0, 0.0][..], &[0.0, 2.0][..]));
    // <abcd> shares <ab, abc and <abc with <abc>, and bcd, cd> and bcd> with <bcd>: six subwords.
    assert_eq!(row("ABCD"), [0.5, 1.0]);
    assert_eq!((row("qqq"), row("uvw")), (&[0.0; 2][..], &[0.0; 2][..]), "nothing shared");
    assert_eq!(alignment.matrix[..4], [0.0; 4], "the specials have no subwords");
    assert_eq!(alignment.coverage.options.subwords, Reach { rows: 1, tokens: 3 });
    assert_eq!(alignment.coverage.rows_with_vector, 3);
}

#[test]
fn a_subword_counts_once_a_word_and_weighs_as_much_as_any_other() {
    // banana has `ana` and `ana`; `<an` and `anx` and the like are in no other word.
    let (vocabulary, alignment) =
        subwords_of(&["xana", "yana", "banana"], &[("xana", [1.0, 0.0]), ("yana", [0.0, 1.0])]);
    let start = 2 * vocabulary.id("banana").unwrap() as usize;
    // ana, na> and ana> of both: each subword's mean is a half and a half.
    assert_eq!(alignment.matrix[start..start + 2], [0.5, 0.5]);
    // In words of other scripts too, where a character is not a byte.
    let (vocabulary, alignment) = subwords_of(&["фильм", "Фильмы"], &[("фильм", [3.0, 4.0])]);
    let start = 2 * vocabulary.id("Фильмы").unwrap() as usize;
    let row = &alignment.matrix[start..start + 2];
    assert!((row[0] - 3.0).abs() < 1e-6 && (row[1] - 4.0).abs() < 1e-6, "{row:?}");
}
