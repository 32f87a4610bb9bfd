//! Vocabulary and vectors to an embedding matrix, and how much of the text it covers.

use std::collections::HashSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
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

/// What a row without a vector holds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Missing {
    /// Zeros.
    #[default]
    Zero,
    /// Draws from a normal distribution of mean 0.
    Normal {
        /// The standard deviation.
        std: f32,
    },
    /// Draws from `[-bound, bound)`.
    Uniform {
        /// The bound.
        bound: f32,
    },
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
}

/// A word of the vocabulary without a vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingWord {
    /// The word.
    pub token: String,
    /// How often it occurs.
    pub count: u64,
}

/// How many missing words a coverage report names.
const NAMED_MISSING: usize = 50;

impl Case {
    /// The spellings whose vectors an alignment may ask for: what to read of a large vector file.
    pub fn spellings(self, vocabulary: &Vocabulary) -> HashSet<String> {
        let words = vocabulary.words().iter();
        match self {
            Case::Exact => words.cloned().collect(),
            Case::Lower => words.map(|word| lowercase(word)).collect(),
            Case::Fallback => words.flat_map(|word| [word.clone(), lowercase(word)]).collect(),
        }
    }

    fn find<'v>(self, word: &str, vectors: &'v Vectors) -> Option<&'v [f32]> {
        match self {
            Case::Exact => vectors.get(word),
            Case::Lower => vectors.get(&lowercase(word)),
            Case::Fallback => vectors.get(word).or_else(|| vectors.get(&lowercase(word))),
        }
    }
}

/// Copies each word's vector into its row.
///
/// The row of `<unk>` is filled as `missing` says, the row of `<pad>` is always zero; neither is looked up.
///
/// # Errors
/// [`Error::Option`] where a standard deviation or bound is negative or not finite.
pub fn align(
    vocabulary: &Vocabulary,
    counts: &TokenCounts,
    vectors: &Vectors,
    options: &AlignOptions,
) -> Result<Alignment> {
    options.missing.check()?;
    let dimensions = vectors.dimensions();
    let mut matrix = vec![0.0; vocabulary.len() * dimensions];
    let mut has_vector = vec![false; vocabulary.len()];
    let mut coverage = Coverage {
        vocabulary_rows: vocabulary.words().len(),
        rows_with_vector: 0,
        tokens: counts.total(),
        tokens_in_vocabulary: 0,
        tokens_with_vector: 0,
        most_frequent_missing: Vec::new(),
    };
    for ((id, word), row) in
        (0_u32..).zip(vocabulary.tokens()).zip(matrix.chunks_exact_mut(dimensions))
    {
        match id {
            Vocabulary::PADDING => continue,
            Vocabulary::UNKNOWN => {
                options.missing.fill(row, options.seed, id);
                continue;
            }
            _ => {}
        }
        let count = counts.get(word);
        coverage.tokens_in_vocabulary += count;
        if let Some(vector) = options.case.find(word, vectors) {
            row.copy_from_slice(vector);
            has_vector[id as usize] = true;
            coverage.rows_with_vector += 1;
            coverage.tokens_with_vector += count;
        } else {
            options.missing.fill(row, options.seed, id);
            coverage.most_frequent_missing.push(MissingWord { token: word.clone(), count });
        }
    }
    coverage.most_frequent_missing.sort_by(|left, right| {
        right.count.cmp(&left.count).then_with(|| left.token.cmp(&right.token))
    });
    coverage.most_frequent_missing.truncate(NAMED_MISSING);
    Ok(Alignment { matrix, dimensions, has_vector, coverage })
}

impl Missing {
    fn check(self) -> Result<()> {
        let (option, value) = match self {
            Missing::Zero => return Ok(()),
            Missing::Normal { std } => ("std", std),
            Missing::Uniform { bound } => ("bound", bound),
        };
        if value.is_finite() && value >= 0.0 {
            return Ok(());
        }
        Err(Error::Option {
            option,
            found: value.to_string(),
            expected: "a finite number, 0 or more",
        })
    }

    fn fill(self, row: &mut [f32], seed: u64, id: u32) {
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        draws.set_stream(u64::from(id));
        match self {
            Missing::Zero => row.fill(0.0),
            Missing::Uniform { bound } => {
                row.fill_with(|| ((2.0 * unit(&mut draws) - 1.0) * f64::from(bound)) as f32);
            }
            Missing::Normal { std } => row.fill_with(|| {
                // Box and Muller, 1958; one of the two values is enough. 1 - u keeps the logarithm off zero.
                let radius = (-2.0 * (1.0 - unit(&mut draws)).ln()).sqrt();
                (radius * (std::f64::consts::TAU * unit(&mut draws)).cos() * f64::from(std)) as f32
            }),
        }
    }
}

/// A draw from `[0, 1)` with 53 random bits.
fn unit(draws: &mut ChaCha8Rng) -> f64 {
    (draws.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
