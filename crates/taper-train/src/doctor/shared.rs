//! Which texts stand in which splits: identical ones and near-duplicates, counted.

use std::collections::BTreeMap;

use taper_corpus::duplicates::NearPair;

use super::diagnosis::{Pair, Repeats};
use crate::Prepared;
use crate::prepare::leaks::rank;

/// Every two splits, by their places.
pub(super) type Across = BTreeMap<(usize, usize), Pair>;

/// Which texts stand in which splits.
pub(super) struct Shared {
    pub(super) splits: Vec<String>,
    /// First row of each split, and the number of all rows.
    pub(super) offsets: Vec<usize>,
    /// Of each text that is a first one, its rows in each split: `counts[first * splits + split]`.
    counts: Vec<u32>,
}

impl Shared {
    pub(super) fn new(prepared: &Prepared, splits: &[String], first: &[u32]) -> Self {
        let mut offsets = vec![0];
        for split in splits {
            let rows = prepared.manifest().splits.get(split).map_or(0, |numbers| numbers.rows);
            offsets.push(offsets[offsets.len() - 1] + rows as usize);
        }
        let mut shared =
            Self { splits: splits.to_vec(), offsets, counts: vec![0; first.len() * splits.len()] };
        for (row, first) in first.iter().enumerate() {
            let place = *first as usize * splits.len() + shared.split_of(row);
            shared.counts[place] += 1;
        }
        shared
    }

    pub(super) fn split_of(&self, row: usize) -> usize {
        self.offsets.partition_point(|offset| *offset <= row).clamp(1, self.splits.len()) - 1
    }

    /// Rows of each split with the text that `row` is the first of.
    fn rows_of(&self, row: u32) -> &[u32] {
        let start = row as usize * self.splits.len();
        &self.counts[start..start + self.splits.len()]
    }

    /// Within each split, and across each two.
    pub(super) fn count(&self, near: &[NearPair]) -> (Vec<Repeats>, Across) {
        let mut within = vec![Repeats::default(); self.splits.len()];
        let mut across = Across::new();
        for left in 0..self.splits.len() {
            for right in left + 1..self.splits.len() {
                let splits = [self.splits[left].clone(), self.splits[right].clone()];
                let judges = rank(&splits[0]) != rank(&splits[1]);
                across.insert((left, right), Pair { splits, judges, ..Pair::default() });
            }
        }
        for rows in self.counts.chunks_exact(self.splits.len().max(1)) {
            for (repeats, rows) in within.iter_mut().zip(rows).filter(|(_, rows)| **rows > 1) {
                repeats.identical_texts += 1;
                repeats.extra_rows += u64::from(*rows) - 1;
            }
            for ((left, right), pair) in &mut across {
                let both = [rows[*left], rows[*right]];
                if both.iter().all(|rows| *rows > 0) {
                    pair.identical_texts += 1;
                    pair.identical_rows[0] += u64::from(both[0]);
                    pair.identical_rows[1] += u64::from(both[1]);
                }
            }
        }
        self.count_near(near, &mut within, &mut across);
        (within, across)
    }

    /// Adds the near-duplicates.
    fn count_near(&self, near: &[NearPair], within: &mut [Repeats], across: &mut Across) {
        let present = |row: u32| -> u64 {
            let rows = self.rows_of(row).iter().enumerate();
            rows.map(|(split, rows)| u64::from(*rows > 0) << split).sum()
        };
        let mut near_to: BTreeMap<u32, u64> = BTreeMap::new();
        for pair in near {
            let (left, right) = (present(pair.first), present(pair.second));
            *near_to.entry(pair.first).or_default() |= right;
            *near_to.entry(pair.second).or_default() |= left;
            for (split, repeats) in within.iter_mut().enumerate() {
                repeats.near_pairs += (left & right) >> split & 1;
            }
            for ((a, b), both) in &mut *across {
                both.near_pairs +=
                    u64::from((left >> a & right >> b | left >> b & right >> a) & 1 > 0);
            }
        }
        for (text, near) in near_to {
            let rows = self.rows_of(text);
            for (split, repeats) in within.iter_mut().enumerate() {
                repeats.near_rows += (near >> split & 1) * u64::from(rows[split]);
            }
            for ((a, b), both) in &mut *across {
                if rows[*b] == 0 {
                    both.near_rows[0] += (near >> b & 1) * u64::from(rows[*a]);
                }
                if rows[*a] == 0 {
                    both.near_rows[1] += (near >> a & 1) * u64::from(rows[*b]);
                }
            }
        }
    }

    /// A line for repeats within splits and one for what splits share; none where there is nothing to tell.
    pub(super) fn in_words(&self) -> Vec<String> {
        let (within, across) = self.count(&[]);
        let repeated: Vec<String> = within
            .iter()
            .zip(&self.splits)
            .filter(|(repeats, _)| repeats.extra_rows > 0)
            .map(|(repeats, split)| format!("{} in {split}", repeats.extra_rows))
            .collect();
        let shared: Vec<String> = across
            .values()
            .filter(|pair| pair.identical_texts > 0)
            .map(|pair| {
                format!("{} in {} and {}", pair.identical_texts, pair.splits[0], pair.splits[1])
            })
            .collect();
        let lines =
            [("texts that repeat an earlier one", repeated), ("texts in two splits", shared)];
        let lines = lines.into_iter().filter(|(_, parts)| !parts.is_empty());
        lines.map(|(what, parts)| format!("{what}: {}", parts.join(", "))).collect()
    }
}
