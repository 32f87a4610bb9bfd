//! Vectors for words that have none, from the words that share their subwords.
//!
//! The subwords of a word are fastText's (Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information"):
//! the n-grams of 3 to 6 characters of the word between `<` and `>`, in lower case here. A subword's vector is the mean
//! of the vectors of the vocabulary's words that contain it; a word's row is the mean of its subwords' vectors, over
//! those that have one. So what few words share weighs as much as what many do, and `<film>` as much as `ing`.

use std::collections::HashMap;

use super::lowercase_of;

/// Characters of a subword.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=6;

/// Characters of the longest word that has subwords: beyond are no words, and their subwords would fill the memory.
const LONGEST_WORD: usize = 64;

/// The subwords that words without a vector share with words that have one.
pub(super) struct Shared {
    /// For each such subword, in the order of first use: the rows without a vector, then those with one.
    subwords: Vec<(Vec<usize>, Vec<usize>)>,
    /// For each row, how many of them it has as a word without a vector.
    shared: Vec<u32>,
}

impl Shared {
    /// `found` has a place for each word.
    pub(super) fn of(words: &[(u32, &str)], found: &[Option<&[f32]>]) -> Shared {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut subwords: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
        for (row, (_, word)) in words.iter().enumerate().filter(|(row, _)| found[*row].is_none()) {
            each(word, &mut |subword| {
                let next = subwords.len();
                let place = *places.entry(subword.to_owned()).or_insert(next);
                if place == next {
                    subwords.push((Vec::new(), Vec::new()));
                }
                // A subword that occurs twice in a word, as `ana` in `banana`, counts once.
                if subwords[place].0.last() != Some(&row) {
                    subwords[place].0.push(row);
                }
            });
        }
        for (row, (_, word)) in words.iter().enumerate().filter(|(row, _)| found[*row].is_some()) {
            each(word, &mut |subword| {
                if let Some(place) = places.get(subword)
                    && subwords[*place].1.last() != Some(&row)
                {
                    subwords[*place].1.push(row);
                }
            });
        }
        subwords.retain(|(_, with)| !with.is_empty());
        let mut shared = vec![0; words.len()];
        subwords.iter().flat_map(|(without, _)| without).for_each(|row| shared[*row] += 1);
        Shared { subwords, shared }
    }

    /// Whether a row without a vector shares subwords with one that has a vector.
    pub(super) fn reaches(&self, row: usize) -> bool {
        self.shared[row] > 0
    }

    /// Adds the mean to the row of each word that is reached; `matrix` is `[vocabulary, dimensions]`, those rows zero.
    pub(super) fn fill(
        &self,
        words: &[(u32, &str)],
        found: &[Option<&[f32]>],
        matrix: &mut [f32],
        dimensions: usize,
    ) {
        let mut sum = vec![0.0_f64; dimensions];
        for (without, with) in &self.subwords {
            sum.fill(0.0);
            for vector in with.iter().filter_map(|row| found[*row]) {
                sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            for row in without {
                let share = 1.0 / (with.len() as f64 * f64::from(self.shared[*row]));
                let id = words[*row].0 as usize;
                let row = &mut matrix[id * dimensions..(id + 1) * dimensions];
                row.iter_mut().zip(&sum).for_each(|(value, sum)| *value += (sum * share) as f32);
            }
        }
    }
}

/// Calls `visit` with each subword of a word, in lower case.
fn each(word: &str, visit: &mut dyn FnMut(&str)) {
    if word.chars().nth(LONGEST_WORD).is_some() {
        return;
    }
    let marked = format!("<{}>", lowercase_of(word));
    let borders: Vec<usize> =
        marked.char_indices().map(|(start, _)| start).chain([marked.len()]).collect();
    for start in 0..borders.len() {
        for length in LENGTHS {
            if let Some(end) = borders.get(start + length) {
                visit(&marked[borders[start]..*end]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_any_word_has_no_subwords() {
        for (length, some) in [(64, true), (65, false), (1 << 20, false)] {
            let (word, mut count) = ("é".repeat(length), 0);
            each(&word, &mut |_| count += 1);
            assert_eq!(count > 0, some, "{length}");
        }
    }
}
