//! How much of vocabulary and text has a vector, what is missing, and what other options would give.

use serde::{Deserialize, Serialize};

use super::Case;
use super::subwords::Shared;
use crate::vectors::Vectors;
use crate::vocabulary::TokenCounts;

/// How much of the vocabulary and of the text has a vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Words of the vocabulary, the two specials not counted.
    pub vocabulary_rows: usize,
    /// Of them, words with a vector.
    pub rows_with_vector: usize,
    /// Tokens of the counted text.
    pub tokens: u64,
    /// Of them, tokens whose word is in the vocabulary.
    pub tokens_in_vocabulary: u64,
    /// Of them, tokens whose word is in the vocabulary and has a vector.
    pub tokens_with_vector: u64,
    /// The 50 most frequent words of the vocabulary without a vector, ties in code-point order.
    pub most_frequent_missing: Vec<MissingWord>,
    /// What each option would give.
    pub options: Gains,
}

/// A word of the vocabulary without a vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingWord {
    /// The word.
    pub token: String,
    /// How often it occurs.
    pub count: u64,
}

/// What each option would give with this vocabulary and these vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gains {
    /// With a vector of their own where words are looked up as they are written.
    pub exact: Reach,
    /// The same for words in lower case.
    pub lower: Reach,
    /// The same for words as they are written, else in lower case.
    pub fallback: Reach,
    /// Of the words *without* a vector under the case chosen: those that share subwords with a word that has one.
    pub subwords: Reach,
}

/// How far an option reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Words of the vocabulary.
    pub rows: usize,
    /// Their tokens in the counted text.
    pub tokens: u64,
}

/// How many missing words a coverage report names.
const NAMED_MISSING: usize = 50;

impl Coverage {
    /// `words` are those of the vocabulary, the specials left out; `found` has a place for each.
    pub(super) fn of(
        words: &[(u32, &str)],
        counts: &TokenCounts,
        vectors: &Vectors,
        found: &[Option<&[f32]>],
        subwords: &Shared,
    ) -> Coverage {
        let counted: Vec<u64> = words.iter().map(|(_, word)| counts.get(word)).collect();
        let reach = |has: &dyn Fn(usize) -> bool| {
            let rows = (0..words.len()).filter(|row| has(*row));
            rows.fold(Reach::default(), |sum, row| Reach {
                rows: sum.rows + 1,
                tokens: sum.tokens + counted[row],
            })
        };
        let under = |case: Case| reach(&|row| case.find(words[row].1, vectors).is_some());
        let covered = reach(&|row| found[row].is_some());
        let missing =
            found.iter().zip(words).zip(&counted).filter(|((found, _), _)| found.is_none());
        let mut missing: Vec<(&str, u64)> =
            missing.map(|((_, (_, word)), count)| (*word, *count)).collect();
        missing.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(right.0)));
        missing.truncate(NAMED_MISSING);
        let named = |(word, count): (&str, u64)| MissingWord { token: word.to_owned(), count };
        Coverage {
            vocabulary_rows: words.len(),
            rows_with_vector: covered.rows,
            tokens: counts.total(),
            tokens_in_vocabulary: counted.iter().sum(),
            tokens_with_vector: covered.tokens,
            most_frequent_missing: missing.into_iter().map(named).collect(),
            options: Gains {
                exact: under(Case::Exact),
                lower: under(Case::Lower),
                fallback: under(Case::Fallback),
                subwords: reach(&|row| subwords.reaches(row)),
            },
        }
    }
}
