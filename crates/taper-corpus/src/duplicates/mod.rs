//! Texts that occur twice: letter by letter, or nearly so. Needs nothing but the texts.
//!
//! Identical is what has the same bytes. Near-duplicates share at least [`NEAR`] of their runs of [`SHINGLE_WORDS`]
//! words (Jaccard index; case, punctuation, spacing, tags, and whether an accent is
//! a character of its own do not count): in a review of 200 words that is up to a dozen
//! words changed here and there, or a third of it in one piece. Candidates come from `MinHash`; each is then compared in
//! full, so there are no false ones. Some are missed: 1.4 % of pairs just at the threshold, 0.04 % at 0.6. Of many
//! texts that are all alike, such as those of one template, most pairs are missed: of more than 17 that agree in a band,
//! each is compared with 16 there, and with 8 of each higher rank. [`Duplicates::crowded`] counts them.
//!
//! Memory: about 180 bytes a text (for one among many alike up to 6 KB of candidates more and, where they are near, up to
//! 40 KB), and the shingles (8 bytes a word) of those texts that have a candidate. Time is linear. The outcome does not depend on the number of threads.
//!
//! What it does not see: near-duplicates of texts so short that one changed word changes most shingles, and of scripts
//! without spaces between words.

mod minhash;
mod shingles;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use serde::Serialize;

use minhash::Candidates;

/// The least Jaccard index of near-duplicates.
pub const NEAR: f64 = 0.5;

/// Words a shingle has.
pub const SHINGLE_WORDS: usize = shingles::WORDS;

/// Which texts occur twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Duplicates {
    /// Of every text, the number of the first text with the same bytes: its own where it is the first.
    pub first: Vec<u32>,
    /// Near-duplicates among the first ones, in ascending order. A text is near to all that are identical to its partner.
    pub near: Vec<NearPair>,
    /// First texts with near-duplicates that are among so many alike that not all of their pairs may have been looked at: some
    /// may be missing in `near`.
    pub crowded: u64,
}

/// Two different texts that share most of their words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NearPair {
    /// The number of the earlier text.
    pub first: u32,
    /// The number of the later one.
    pub second: u32,
    /// Their Jaccard index, from [`NEAR`] to 1 (the same words in the same order, but not the same bytes).
    pub similarity: f64,
}

/// What a text repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Repeat {
    /// The number of the other text.
    pub of: u32,
    /// Their Jaccard index; `None` where the bytes are the same.
    pub similarity: Option<f64>,
}

/// Hands texts over, a batch after the other.
pub type VisitTexts<'v> = dyn FnMut(&[&str]) + 'v;

/// Finds identical texts and near-duplicates. Texts are numbered as they come.
///
/// `pass` hands all texts to its visitor and returns their ranks, one a text (none: all are of the same). It is called twice:
/// the second time for the texts of pairs that are to be compared. Of too many that are alike, each is rather compared with
/// those of a higher rank: see [`Duplicates::of_higher_rank`].
///
/// ```
/// use taper_corpus::duplicates::find_duplicates;
///
/// let texts = ["A film. I liked it a lot, really.", "Dull.", "a film; i liked it a LOT. Really!", "Dull."];
/// let found = find_duplicates(|visit| { visit(&texts); Ok::<_, ()>(Vec::new()) })?;
/// assert_eq!(found.first, [0, 1, 2, 1]);
/// assert_eq!((found.near[0].first, found.near[0].second), (0, 2));
/// # Ok::<(), ()>(())
/// ```
///
/// # Errors
/// Those of `pass`.
pub fn find_duplicates<E>(
    mut pass: impl FnMut(&mut VisitTexts<'_>) -> Result<Vec<u8>, E>,
) -> Result<Duplicates, E> {
    let mut hashes = Vec::new();
    let (mut rows, mut bands): (Vec<u32>, Vec<_>) = (Vec::new(), Vec::new());
    let mut ranks = pass(&mut |texts| {
        let sketch = |text: &&str| (identity(text), minhash::bands(&shingles::shingles(text)));
        let sketches: Vec<_> = texts.par_iter().map(sketch).collect();
        for (hash, found) in sketches {
            if let Some(found) = found {
                rows.push(hashes.len() as u32);
                bands.push(found);
            }
            hashes.push(hash);
        }
    })?;
    let first = firsts(hashes);
    // A first text stands for all that are identical: the highest of their ranks is its.
    for (row, first) in first.iter().enumerate() {
        if let Some(rank) = ranks.get(row).copied() {
            let known = &mut ranks[*first as usize];
            *known = rank.max(*known);
        }
    }
    let mut kept = 0;
    for index in 0..rows.len() {
        if first.get(rows[index] as usize) == Some(&rows[index]) {
            rows.swap(kept, index);
            bands.swap(kept, index);
            kept += 1;
        }
    }
    rows.truncate(kept);
    bands.truncate(kept);
    let Candidates { pairs, crowded } = minhash::candidates(&rows, &bands, &ranks);
    drop((rows, bands, ranks));
    let near = compare(&pairs, &mut pass)?;
    let near_rows: HashSet<u32> = near.iter().flat_map(|pair| [pair.first, pair.second]).collect();
    let crowded = crowded.iter().filter(|row| near_rows.contains(row)).count() as u64;
    Ok(Duplicates { first, near, crowded })
}

impl Duplicates {
    /// For every text, what it repeats among texts of a higher rank, of `ranks`, one a text: what a model that learns from it
    /// should not be judged by. Of several, the first one that is identical, or else the nearest. What itself repeats something of
    /// a higher rank does not count: it goes first.
    pub fn of_higher_rank(&self, ranks: &[u8]) -> Vec<Option<Repeat>> {
        let rank_of = |row: u32| ranks.get(row as usize).copied().unwrap_or_default();
        // Of every first text, the first of the highest rank among those identical to it.
        let mut highest: Vec<u32> = self.first.clone();
        for (row, first) in (0..).zip(&self.first) {
            let known = &mut highest[*first as usize];
            if rank_of(row) > rank_of(*known) {
                *known = row;
            }
        }
        let mut partners: HashMap<u32, Vec<(u32, f64)>> = HashMap::new();
        for pair in &self.near {
            partners.entry(pair.first).or_default().push((pair.second, pair.similarity));
            partners.entry(pair.second).or_default().push((pair.first, pair.similarity));
        }
        let repeat = |row: u32, repeats: &[Option<Repeat>]| {
            let first = self.first.get(row as usize)?;
            // Where the highest of identical texts goes, so do the others, for the same near one.
            let stays = |other: u32| {
                rank_of(other) > rank_of(row) && repeats.get(other as usize) == Some(&None)
            };
            let identical = highest[*first as usize];
            if stays(identical) {
                return Some(Repeat { of: identical, similarity: None });
            }
            let near = partners.get(first)?.iter().map(|(other, s)| (highest[*other as usize], *s));
            let nearest = near
                .filter(|(other, _)| stays(*other))
                .min_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)))?;
            Some(Repeat { of: nearest.0, similarity: Some(nearest.1) })
        };
        let mut rows: Vec<u32> = (0..).zip(&self.first).map(|(row, _)| row).collect();
        rows.sort_by_key(|row| Reverse(rank_of(*row)));
        let mut repeats = vec![None; rows.len()];
        for row in rows {
            repeats[row as usize] = repeat(row, &repeats);
        }
        repeats
    }
}

/// Finds identical texts alone, in one pass: see [`Duplicates::first`]. 20 bytes a text.
///
/// # Errors
/// Those of `pass`.
pub fn find_identical<E>(
    pass: impl FnOnce(&mut VisitTexts<'_>) -> Result<(), E>,
) -> Result<Vec<u32>, E> {
    let mut hashes = Vec::new();
    pass(&mut |texts| hashes.par_extend(texts.par_iter().map(|text| identity(text))))?;
    Ok(firsts(hashes))
}

/// 128 bits of BLAKE3: two different texts never have the same.
type Identity = [u8; 16];

fn identity(text: &str) -> Identity {
    let mut bytes = Identity::default();
    bytes.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..size_of::<Identity>()]);
    bytes
}

fn firsts(hashes: Vec<Identity>) -> Vec<u32> {
    let mut sorted: Vec<(Identity, u32)> = hashes.into_iter().zip(0..).collect();
    sorted.par_sort_unstable();
    let mut first = vec![0; sorted.len()];
    for same in sorted.chunk_by(|left, right| left.0 == right.0) {
        for (_, row) in same {
            first[*row as usize] = same[0].1;
        }
    }
    first
}

/// Those of the pairs whose Jaccard index is [`NEAR`] or more.
fn compare<E>(
    pairs: &[(u32, u32)],
    pass: &mut impl FnMut(&mut VisitTexts<'_>) -> Result<Vec<u8>, E>,
) -> Result<Vec<NearPair>, E> {
    let mut wanted: Vec<u32> = pairs.iter().flat_map(|(first, second)| [*first, *second]).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut sets: Vec<Vec<u64>> = Vec::with_capacity(wanted.len());
    let mut passed = 0_usize;
    pass(&mut |texts| {
        let coming = &wanted[sets.len()..];
        let here = coming.partition_point(|row| (*row as usize) < passed + texts.len());
        let found =
            coming[..here].par_iter().map(|row| shingles::shingles(texts[*row as usize - passed]));
        sets.par_extend(found);
        passed += texts.len();
    })?;
    let set_of = |row: u32| wanted.binary_search(&row).ok().and_then(|index| sets.get(index));
    let near = pairs.par_iter().filter_map(|&(first, second)| {
        let similarity = shingles::jaccard(set_of(first)?, set_of(second)?);
        (similarity >= NEAR).then_some(NearPair { first, second, similarity })
    });
    Ok(near.collect())
}
