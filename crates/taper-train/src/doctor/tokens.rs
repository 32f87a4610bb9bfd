//! What the token ids tell: lengths, what cutting short would cost, coverage, drift.

use super::diagnosis::{Coverage, Cut, Diagnosis, Drift, DriftWord, Lengths};
use crate::artifacts::EncodedSplit;
use crate::{Error, Prepared, Result};

/// Where texts are cut short, as a rule.
const CUTS: [usize; 5] = [64, 128, 256, 512, 1024];

/// Words named beside a divergence.
const DRIFT_WORDS: usize = 10;

/// Enters the figures of every split.
pub(super) fn add(
    prepared: &Prepared,
    max_length: Option<usize>,
    diagnosis: &mut Diagnosis,
) -> Result<()> {
    let tokenizer = prepared.tokenizer()?;
    let vocabulary = tokenizer.vocabulary().ok_or_else(|| {
        let path = prepared.tokenizer_path();
        Error::prepared(&path, "a tokenizer without a vocabulary; prepare again")
    })?;
    let has_vector = prepared.has_vector()?;
    let mut cuts = CUTS.to_vec();
    cuts.extend(max_length);
    cuts.sort_unstable();
    cuts.dedup();

    let unknown = vocabulary.specials().unknown.map(|id| id as usize);
    let mut train = Unigrams::default();
    let mut texts = None;
    // Train comes first.
    for split in &mut diagnosis.splits {
        let encoded = prepared.encoded(&split.split)?;
        let mut lengths: Vec<usize> = encoded.lengths().collect();
        lengths.sort_unstable();
        split.empty = lengths.partition_point(|length| *length == 0) as u64;
        split.one_token = lengths.partition_point(|length| *length < 2) as u64 - split.empty;
        split.lengths = measure(&lengths);
        split.cuts = cuts.iter().map(|max_length| cut(&lengths, *max_length)).collect();

        let here = Unigrams::of(&encoded, vocabulary.len(), |_| true);
        split.coverage = here.coverage(unknown, has_vector.as_deref());
        if split.split == "train" {
            train = here;
            texts = Some(encoded);
        } else {
            let floor =
                texts.as_ref().map_or(0.0, |texts| chance(texts, encoded.len(), vocabulary.len()));
            let (js_divergence, shares) = train.divergence(&here);
            let words = widest(&shares, unknown).into_iter().map(|id| DriftWord {
                word: vocabulary.token(id as u32).unwrap_or_default().to_owned(),
                train_per_million: train.per_million(id),
                here_per_million: here.per_million(id),
            });
            split.drift = Some(Drift { js_divergence, floor, words: words.collect() });
        }
    }
    Ok(())
}

/// The divergence of a sample of so many texts, or of half of them, from the others.
fn chance(texts: &EncodedSplit, sample: usize, vocabulary: usize) -> f64 {
    let every = (texts.len() / sample.max(1)).max(2);
    let taken = Unigrams::of(texts, vocabulary, |row| row % every == 0);
    Unigrams::of(texts, vocabulary, |row| row % every != 0).divergence(&taken).0
}

/// `lengths` in ascending order.
fn measure(lengths: &[usize]) -> Lengths {
    let tokens: usize = lengths.iter().sum();
    // The nearest rank: the least length that so many percent of the texts do not exceed.
    let at = |percent: usize| {
        let rank = (lengths.len() * percent).div_ceil(100).max(1);
        lengths.get(rank - 1).copied().unwrap_or_default() as u64
    };
    let mut histogram = Vec::new();
    for length in lengths {
        let bin = (2.0 * (*length as f64).max(1.0).log2()).floor() as usize;
        if histogram.len() <= bin {
            histogram.resize(bin + 1, 0);
        }
        histogram[bin] += 1;
    }
    Lengths {
        tokens: tokens as u64,
        mean: tokens as f64 / (lengths.len() as f64).max(1.0),
        min: at(0),
        p5: at(5),
        p25: at(25),
        p50: at(50),
        p75: at(75),
        p95: at(95),
        p99: at(99),
        max: at(100),
        histogram,
    }
}

fn cut(lengths: &[usize], max_length: usize) -> Cut {
    let longer = &lengths[lengths.partition_point(|length| *length <= max_length)..];
    let tokens = longer.iter().map(|length| (length - max_length) as u64).sum();
    Cut { max_length, texts: longer.len() as u64, tokens }
}

/// How often each id occurs.
#[derive(Debug, Default)]
struct Unigrams {
    counts: Vec<u64>,
    total: u64,
}

impl Unigrams {
    fn of(encoded: &EncodedSplit, vocabulary: usize, rows: impl Fn(usize) -> bool) -> Self {
        let mut counts = vec![0; vocabulary];
        for row in (0..encoded.len()).filter(|row| rows(*row)) {
            // Every id was held to the vocabulary when it was read.
            for id in encoded.tokens(row) {
                counts[*id as usize] += 1;
            }
        }
        let total = counts.iter().sum();
        Self { counts, total }
    }

    fn coverage(&self, unknown: Option<usize>, has_vector: Option<&[bool]>) -> Coverage {
        let unknown = unknown.and_then(|id| self.counts.get(id)).copied().unwrap_or_default();
        let with_vector = has_vector.map(|has| {
            let counts = self.counts.iter().zip(has).filter(|(_, has)| **has);
            counts.map(|(count, _)| count).sum()
        });
        Coverage { tokens: self.total, in_vocabulary: self.total - unknown, with_vector }
    }

    fn probability(&self, id: usize) -> f64 {
        let count = self.counts.get(id).copied().unwrap_or_default();
        count as f64 / (self.total as f64).max(1.0)
    }

    fn per_million(&self, id: usize) -> f64 {
        1e6 * self.probability(id)
    }

    /// Jensen-Shannon divergence in bits (Lin 1991), and each id's part in it; 0 where either has no tokens.
    fn divergence(&self, other: &Self) -> (f64, Vec<f64>) {
        if self.total == 0 || other.total == 0 {
            return (0.0, Vec::new());
        }
        let part = |p: f64, mean: f64| if p > 0.0 { 0.5 * p * (p / mean).log2() } else { 0.0 };
        let shares: Vec<f64> = (0..self.counts.len().max(other.counts.len()))
            .map(|id| {
                let (p, q) = (self.probability(id), other.probability(id));
                let mean = 0.5 * (p + q);
                part(p, mean) + part(q, mean)
            })
            .collect();
        (shares.iter().sum(), shares)
    }
}

/// The ids of the largest shares, the unknown word not among them.
fn widest(shares: &[f64], unknown: Option<usize>) -> Vec<usize> {
    let mut ids: Vec<usize> =
        (0..shares.len()).filter(|id| shares[*id] > 0.0 && Some(*id) != unknown).collect();
    ids.sort_by(|left, right| shares[*right].total_cmp(&shares[*left]).then(left.cmp(right)));
    ids.truncate(DRIFT_WORDS);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unigrams(counts: &[u64]) -> Unigrams {
        Unigrams { counts: counts.to_vec(), total: counts.iter().sum() }
    }

    #[test]
    fn divergence_is_jensens_and_shannons() {
        let one = unigrams(&[0, 0, 5, 5]);
        assert!(one.divergence(&unigrams(&[0, 0, 50, 50])).0.abs() < 1e-12);
        assert!((one.divergence(&unigrams(&[9, 1, 0, 0])).0 - 1.0).abs() < 1e-12);
        // p = (1/2, 1/2), q = (1, 0): 1/2 (1/2 log2(2/3) + 1/2 log2 2) + 1/2 log2(4/3).
        let expected = 0.25 * (2.0_f64 / 3.0).log2() + 0.25 + 0.5 * (4.0_f64 / 3.0).log2();
        let (found, shares) = one.divergence(&unigrams(&[0, 0, 3, 0]));
        assert!((found - expected).abs() < 1e-12, "{found}");
        assert_eq!(widest(&shares, Some(0)), [3, 2]);
        assert_eq!(widest(&shares, Some(3)), [2]);
        assert!(one.divergence(&unigrams(&[0; 4])).0.abs() < 1e-12);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let lengths: Vec<usize> = (1..=100).collect();
        let found = measure(&lengths);
        assert_eq!((found.min, found.p5, found.p50, found.p99, found.max), (1, 5, 50, 99, 100));
        assert_eq!(found.histogram.iter().sum::<u64>(), 100);
        // 64 to 90, 91 to 100.
        assert_eq!(found.histogram[12..], [27, 10]);
        assert_eq!(measure(&[]), Lengths::default());
        assert_eq!(measure(&[0, 0, 7]).histogram, [2, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn what_is_cut_is_counted() {
        assert_eq!(cut(&[0, 3, 5, 9], 4), Cut { max_length: 4, texts: 2, tokens: 6 });
        assert_eq!(cut(&[], 4), Cut { max_length: 4, texts: 0, tokens: 0 });
    }
}
