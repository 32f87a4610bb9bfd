//! `MinHash` with banding: which texts are worth comparing, found without comparing all.
//!
//! A text's signature is the least value of each of 96 hash functions over its shingles; two texts agree in one of them
//! with a probability that is their Jaccard index (Broder 1997). 32 bands of three values: texts that agree in a
//! whole band are candidates (Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, chapter 3). Of pairs
//! with index s, `1 - (1 - s^3)^32` are found: 98.6 % at 0.5, 99.96 % at 0.6; but of more than 17 texts that agree in the same
//! bands, most pairs are not (see [`candidates`]).

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::shingles::mix;

pub(super) const BANDS: usize = 32;
const VALUES: usize = 3;
const FUNCTIONS: usize = BANDS * VALUES;

/// Texts of one bucket that each of them is compared with, where there are more: so many, and time stays linear.
const NEIGHBOURS: usize = 16;

/// Texts of each higher rank, beside them.
const HIGHER: usize = 8;

/// The 96 functions `x -> a x + b` modulo 2^32, a odd: permutations of the 32-bit numbers.
const FACTORS: [u32; FUNCTIONS] = numbers(1, 1);
const OFFSETS: [u32; FUNCTIONS] = numbers(2, 0);

const fn numbers(stream: u64, set_bits: u32) -> [u32; FUNCTIONS] {
    let mut numbers = [0; FUNCTIONS];
    let mut state = stream << 32;
    let mut index = 0;
    while index < FUNCTIONS {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        numbers[index] = (mix(state) >> 32) as u32 | set_bits;
        index += 1;
    }
    numbers
}

/// A hash a band, for the shingles of one text; `None` where there are none.
pub(super) fn bands(shingles: &[u64]) -> Option<[u32; BANDS]> {
    if shingles.is_empty() {
        return None;
    }
    let mut least = [u32::MAX; FUNCTIONS];
    for shingle in shingles {
        let x = (shingle >> 32) as u32;
        for ((least, factor), offset) in least.iter_mut().zip(&FACTORS).zip(&OFFSETS) {
            *least = (*least).min(x.wrapping_mul(*factor).wrapping_add(*offset));
        }
    }
    let mut bands = [0; BANDS];
    for (band, values) in bands.iter_mut().zip(least.chunks_exact(VALUES)) {
        let joined = values
            .iter()
            .fold(0, |joined: u64, value| mix(joined.rotate_left(32) ^ u64::from(*value)));
        *band = (joined >> 32) as u32;
    }
    Some(bands)
}

/// What is worth comparing.
#[derive(Debug)]
pub(super) struct Candidates {
    /// Pairs of rows that agree in a band: the smaller row first, in ascending order, each once.
    pub(super) pairs: Vec<(u32, u32)>,
    /// Rows of which some pairs may be missed, in ascending order.
    pub(super) crowded: Vec<u32>,
}

/// In a bucket of more than 17 texts each is paired with 16 of it, others in every band, and with 8 of each higher rank: with three
/// ranks up to 768 pairs (6 KB) a text. Most pairs of a large bucket are missed.
pub(super) fn candidates(rows: &[u32], bands: &[[u32; BANDS]], ranks: &[u8]) -> Candidates {
    let (mut pairs, mut crowded) = (Vec::new(), Vec::new());
    for band in 0..BANDS {
        let mut buckets: Vec<(u32, u32)> =
            bands.iter().zip(rows).map(|(bands, row)| (bands[band], *row)).collect();
        buckets.par_sort_unstable();
        for bucket in buckets.chunk_by(|left, right| left.0 == right.0) {
            if bucket.len() > NEIGHBOURS + 1 {
                let mut drawn: Vec<u32> = bucket.iter().map(|(_, row)| *row).collect();
                let key = |row: u32| mix(u64::from(row) << 8 | band as u64);
                drawn.sort_unstable_by_key(|row| key(*row));
                around(&drawn, NEIGHBOURS / 2, &mut pairs);
                upwards(&drawn, ranks, &mut pairs);
                crowded.extend(drawn);
            } else {
                around(
                    &bucket.iter().map(|(_, row)| *row).collect::<Vec<_>>(),
                    bucket.len() / 2,
                    &mut pairs,
                );
            }
        }
        crowded.sort_unstable();
        crowded.dedup();
    }
    pairs.par_sort_unstable();
    pairs.dedup();
    Candidates { pairs, crowded }
}

/// Pairs each row with the next ones, in a ring.
fn around(rows: &[u32], steps: usize, pairs: &mut Vec<(u32, u32)>) {
    for (index, row) in rows.iter().enumerate() {
        let ring = (1..=steps).map(|step| rows[(index + step) % rows.len()]);
        pairs.extend(ring.map(|other| ordered(*row, other)));
    }
}

/// Pairs each row with some of each higher rank. Those are few as a rule, and seldom its neighbours in the ring.
fn upwards(rows: &[u32], ranks: &[u8], pairs: &mut Vec<(u32, u32)>) {
    let mut by_rank: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
    for row in rows {
        let rank = ranks.get(*row as usize).copied().unwrap_or_default();
        by_rank.entry(rank).or_default().push(*row);
    }
    for (rank, here) in &by_rank {
        for (_, higher) in by_rank.range(rank + 1..) {
            for (index, row) in here.iter().enumerate() {
                let some =
                    (0..higher.len().min(HIGHER)).map(|step| higher[(index + step) % higher.len()]);
                pairs.extend(some.map(|other| ordered(*row, other)));
            }
        }
    }
}

fn ordered(left: u32, right: u32) -> (u32, u32) {
    (left.min(right), left.max(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sets of 1,000 with the given Jaccard index, other ones for every seed.
    fn sets(seed: u64, index: f64) -> [Vec<u64>; 2] {
        let shared = (2000.0 * index / (1.0 + index)).round() as u64;
        let set = |own: u64| -> Vec<u64> {
            (0..1000).map(|n| mix(mix(seed) ^ if n < shared { n } else { own << 32 | n })).collect()
        };
        [set(1), set(2)]
    }

    #[test]
    fn the_share_found_is_the_formulas() {
        for (index, expected) in [(0.8, 1.0), (0.5, 0.986), (0.3, 0.583), (0.1, 0.0315)] {
            let found = (0..2000).filter(|seed| {
                let [left, right] = sets(*seed, index).map(|set| bands(&set).unwrap());
                left.iter().zip(&right).any(|(left, right)| left == right)
            });
            let share = found.count() as f64 / 2000.0;
            assert!((share - expected).abs() < 0.025, "{index}: {share} is not {expected}");
        }
    }

    #[test]
    fn a_large_bucket_gives_a_linear_number_of_pairs() {
        let rows: Vec<u32> = (0..1000).collect();
        let same = vec![[7; BANDS]; rows.len()];
        let found = candidates(&rows, &same, &[]);
        assert_eq!(found.crowded, rows);
        let pairs = found.pairs;
        assert!(pairs.len() <= rows.len() * BANDS * NEIGHBOURS / 2, "{}", pairs.len());
        let compared =
            |row: u32| pairs.iter().filter(|pair| pair.0 == row || pair.1 == row).count();
        assert!(rows.iter().all(|row| compared(*row) >= NEIGHBOURS));
        // Half of them elsewhere: nobody is compared with neighbours in the row's order alone.
        let across = |row: u32| pairs.iter().any(|pair| pair.0 == row && pair.1 >= 500);
        assert!((0..500).all(across));
        assert!(pairs.iter().all(|pair| pair.0 < pair.1));
    }

    #[test]
    fn in_a_large_bucket_all_meet_some_of_each_higher_rank() {
        let rows: Vec<u32> = (0..3000).collect();
        let same = vec![[7; BANDS]; rows.len()];
        // 10 of the highest rank, 290 between, and what is learned.
        let rank = |row: u32| [(10, 2), (300, 1)].iter().find(|of| row < of.0).map_or(0, |of| of.1);
        let ranks: Vec<u8> = rows.iter().map(|row| rank(*row)).collect();
        let mut met: BTreeMap<(u32, u8), usize> = BTreeMap::new();
        for (one, other) in candidates(&rows, &same, &ranks).pairs {
            *met.entry((one, rank(other))).or_default() += 1;
            *met.entry((other, rank(one))).or_default() += 1;
        }
        for row in rows {
            for higher in rank(row) + 1..=2 {
                assert!(
                    met.get(&(row, higher)).is_some_and(|met| *met >= HIGHER),
                    "{row} {higher}"
                );
            }
        }
    }

    #[test]
    fn in_a_small_bucket_all_meet() {
        for size in 2..=NEIGHBOURS + 1 {
            let rows: Vec<u32> = (0..size as u32).collect();
            let found = candidates(&rows, &vec![[7; BANDS]; size], &[0, 1]);
            assert_eq!((found.pairs.len(), found.crowded.len()), (size * (size - 1) / 2, 0));
        }
    }

    #[test]
    fn no_shingles_no_bands() {
        assert_eq!(bands(&[]), None);
    }
}
