//! What is measured on: batches of IMDB reviews, bucketed by length as in training.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use taper_lstm::Philox;
use taper_train::batch::{View, epoch_batches};
use taper_train::{Prepared, Recipe};

/// Where the eight batches lie among all batches sorted by length.
const QUANTILES: [f64; 8] = [0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.90, 0.97];
/// The vocabulary of the tutorial: 10,000 words, unknown, padding.
const VOCABULARY: usize = 10_002;
/// Tokens of the single review, IMDB's mean.
pub(crate) const SINGLE_TOKENS: usize = 272;
/// Token counts of IMDB's 25,000 training reviews (`--write-lengths`).
const LENGTHS: &str = include_str!("../imdb_lengths.txt");
/// Seed and stream of made-up token ids and labels.
const SEED: u64 = 1;
const STREAM: u32 = 0x3000;

/// Texts that share a step.
#[derive(Debug, Serialize)]
pub(crate) struct Batch {
    pub(crate) texts: Vec<Vec<u32>>,
    pub(crate) labels: Vec<u32>,
}

impl Batch {
    /// Real tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.texts.iter().map(Vec::len).sum()
    }

    /// Tokens of the longest text.
    pub(crate) fn steps(&self) -> usize {
        self.texts.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// All batches: the measured ones from short to long, then the one with the longest review, then a
/// single review.
#[derive(Debug, Serialize)]
pub(crate) struct Workload {
    /// Where the texts come from, for the report.
    #[serde(skip)]
    pub(crate) source: String,
    pub(crate) vocabulary: usize,
    /// Tokens of all texts.
    #[serde(skip)]
    pub(crate) all_tokens: usize,
    pub(crate) batches: Vec<Batch>,
}

impl Workload {
    /// The batches behind the headline figures.
    pub(crate) fn measured(&self) -> std::ops::Range<usize> {
        0..self.batches.len() - 2
    }

    /// The batch with the longest review.
    pub(crate) fn longest(&self) -> usize {
        self.batches.len() - 2
    }

    /// One review of [`SINGLE_TOKENS`] tokens.
    pub(crate) fn single(&self) -> usize {
        self.batches.len() - 1
    }

    /// Random token ids with the lengths of IMDB's training reviews.
    pub(crate) fn synthetic(count: Option<usize>) -> Result<Self> {
        let numbers = Philox::new(SEED, STREAM, 0);
        let mut drawn = 0;
        let mut texts = Vec::new();
        for line in LENGTHS.lines() {
            let length: usize =
                line.parse().with_context(|| format!("imdb_lengths.txt has a line `{line}`"))?;
            let ids =
                (drawn..).take(length).map(|at| 2 + numbers.word(at) % (VOCABULARY as u32 - 2));
            texts.push(ids.collect::<Vec<u32>>());
            drawn += length as u64;
        }
        let labels: Vec<u32> = (0..texts.len() as u32).map(|row| row % 2).collect();
        let source =
            format!("random ids with the lengths of IMDB's {} training reviews", texts.len());
        Self::new(source, VOCABULARY, &texts, &labels, count)
    }

    /// The training split of prepared data.
    pub(crate) fn prepared(folder: &Path, count: Option<usize>) -> Result<Self> {
        let prepared = Prepared::open(folder)?;
        let split = prepared.encoded("train")?;
        let specials = prepared.manifest().specials;
        let view = View { max_length: None, ..View::new(&tutorial(&[])?, specials) };
        let texts: Vec<_> =
            (0..split.len()).map(|row| view.tokens(split.tokens(row)).to_vec()).collect();
        let labels: Vec<u32> = split.labels().iter().map(|label| label.unwrap_or(0)).collect();
        let source = format!("{} training texts of {}", texts.len(), folder.display());
        Self::new(source, prepared.manifest().vocabulary, &texts, &labels, count)
    }

    fn new(
        source: String,
        vocabulary: usize,
        texts: &[Vec<u32>],
        labels: &[u32],
        count: Option<usize>,
    ) -> Result<Self> {
        let recipe = tutorial(&[])?;
        let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        let mut batches = epoch_batches(&lengths, &recipe, 0);
        batches.retain(|batch| batch.len() == recipe.train.batch_size);
        ensure!(
            !batches.is_empty(),
            "{} texts; a batch takes {}",
            texts.len(),
            recipe.train.batch_size
        );
        batches.sort_by_key(|batch| batch.iter().map(|&row| lengths[row]).max());
        let last = batches.len() - 1;
        let chosen = quantiles(count).into_iter().chain([1.0]);
        let mut batches: Vec<Batch> = chosen
            .map(|quantile| {
                let rows = &batches[(quantile * last as f64).round() as usize];
                Batch {
                    texts: rows.iter().map(|&row| texts[row].clone()).collect(),
                    labels: rows.iter().map(|&row| labels[row]).collect(),
                }
            })
            .collect();
        let single = texts.iter().find(|text| text.len() >= SINGLE_TOKENS);
        let single = single.context("no text is long enough for the latency of a single one")?;
        batches.push(Batch { texts: vec![single[..SINGLE_TOKENS].to_vec()], labels: vec![0] });
        Ok(Self { source, vocabulary, all_tokens: lengths.iter().sum(), batches })
    }
}

/// The recipe of the tutorial, from which everything that is not measured is taken.
pub(crate) fn tutorial(overrides: &[&str]) -> Result<Recipe> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Ok(Recipe::load("tutorial", &overrides)?)
}

/// A text length a line.
pub(crate) fn write_lengths(prepared: &Path, path: &Path) -> Result<usize> {
    let split = Prepared::open(prepared)?.encoded("train")?;
    let lines: Vec<String> = split.lengths().map(|length| length.max(1).to_string()).collect();
    std::fs::write(path, lines.join("\n") + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(split.len())
}

fn quantiles(count: Option<usize>) -> Vec<f64> {
    match count {
        None => QUANTILES.to_vec(),
        Some(count) => (0..count).map(|i| (i as f64 + 0.5) / count as f64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_batches_from_short_to_long_then_the_longest_then_one_review() {
        let workload = Workload::synthetic(None).unwrap();
        assert_eq!(workload.measured(), 0..8);
        let steps: Vec<usize> = workload.batches.iter().map(Batch::steps).collect();
        assert!(steps[..9].is_sorted(), "{steps:?}");
        assert!(workload.batches[..9].iter().all(|batch| batch.texts.len() == 30));
        assert_eq!(workload.batches[workload.single()].tokens(), SINGLE_TOKENS);
        let ids = workload.batches.iter().flat_map(|batch| batch.texts.iter().flatten());
        assert!(ids.clone().all(|&id| (2..VOCABULARY as u32).contains(&id)));
    }

    #[test]
    fn other_counts_are_spread_evenly() {
        assert_eq!(quantiles(Some(2)), [0.25, 0.75]);
        assert_eq!(Workload::synthetic(Some(2)).unwrap().measured(), 0..2);
    }
}
