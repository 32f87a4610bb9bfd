//! Vocabulary and vectors to an embedding matrix.

mod coverage;
mod missing;
mod subwords;

use std::borrow::Cow;
use std::collections::HashSet;

pub use coverage::{Coverage, Gains, MissingWord, Reach};
pub use missing::Missing;

use crate::error::Result;
use crate::normalize::lowercase;
use crate::vectors::Vectors;
use crate::vocabulary::{TokenCounts, Vocabulary};

/// Under which spelling a word's vector is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Case {
    /// As it is written.
    #[default]
    Exact,
    /// In lower case.
    Lower,
    /// As it is written, and in lower case where that has no vector.
    Fallback,
}

/// How vocabulary and vectors are brought together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlignOptions {
    /// Under which spelling a word's vector is looked up.
    pub case: Case,
    /// What a row without a vector holds.
    pub missing: Missing,
    /// Key of the draws; each row has a stream of its own, so its values do not depend on the other rows.
    pub seed: u64,
}

/// The embedding matrix of a vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// Row-major `[vocabulary, dimensions]`; row `i` belongs to id `i`.
    pub matrix: Vec<f32>,
    /// Numbers a row.
    pub dimensions: usize,
    /// Whether row `i` is a word's vector, rather than what `missing` says.
    pub has_vector: Vec<bool>,
    /// How much of vocabulary and text has a vector.
    pub coverage: Coverage,
}

/// The words that an alignment looks up, as written and in lower case: what to read of a large vector file.
///
/// Both spellings whatever the [`Case`], since the coverage report says what each case would give.
pub fn spellings(vocabulary: &Vocabulary) -> HashSet<Cow<'_, str>> {
    vocabulary.words().flat_map(|(_, word)| [Cow::Borrowed(word), lowercase_of(word)]).collect()
}

fn lowercase_of(word: &str) -> Cow<'_, str> {
    let plain = word.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if plain { Cow::Borrowed(word) } else { Cow::Owned(lowercase(word)) }
}

impl Case {
    fn find<'v>(self, word: &str, vectors: &'v Vectors) -> Option<&'v [f32]> {
        match self {
            Case::Exact => vectors.get(word),
            Case::Lower => vectors.get(&lowercase_of(word)),
            Case::Fallback => vectors.get(word).or_else(|| vectors.get(&lowercase_of(word))),
        }
    }
}

/// Copies each word's vector into its row.
///
/// The row of the unknown word is filled as `missing` says, that of padding is always zero; neither is looked up. `vectors`
/// should hold all [`spellings`] that the file has.
///
/// # Errors
/// [`Error::Option`](crate::Error::Option) where a standard deviation or bound is negative or not finite.
pub fn align(
    vocabulary: &Vocabulary,
    counts: &TokenCounts,
    vectors: &Vectors,
    options: &AlignOptions,
) -> Result<Alignment> {
    options.missing.check()?;
    let dimensions = vectors.dimensions();
    let words: Vec<(u32, &str)> = vocabulary.words().collect();
    let found: Vec<Option<&[f32]>> =
        words.iter().map(|(_, word)| options.case.find(word, vectors)).collect();
    let subwords = subwords::Shared::of(&words, &found);
    let coverage = Coverage::of(&words, counts, vectors, &found, &subwords);
    let mut matrix = vec![0.0; vocabulary.len() * dimensions];
    let mut has_vector = vec![false; vocabulary.len()];
    let row = |id: u32| id as usize * dimensions..(id as usize + 1) * dimensions;
    if let Some(unknown) = vocabulary.specials().unknown {
        options.missing.draw(&mut matrix[row(unknown)], options.seed, unknown);
    }
    for ((id, _), found) in words.iter().zip(&found) {
        has_vector[*id as usize] = found.is_some();
        match found {
            Some(vector) => matrix[row(*id)].copy_from_slice(vector),
            None => options.missing.draw(&mut matrix[row(*id)], options.seed, *id),
        }
    }
    if options.missing == Missing::Subwords {
        subwords.fill(&words, &found, &mut matrix, dimensions);
    }
    Ok(Alignment { matrix, dimensions, has_vector, coverage })
}

#[cfg(test)]
mod tests;
