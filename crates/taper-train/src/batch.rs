//! Which texts share a step, and what of them the model reads.

use taper_lstm::{Philox, TokenBatch};
use taper_text::Specials;

use crate::Result;
use crate::artifacts::EncodedSplit;
use crate::recipe::{Padding, Recipe};

/// The streams of random numbers that order the rows and the batches.
const ROWS_STREAM: u32 = 0x2000;
const BATCHES_STREAM: u32 = 0x2001;

/// The batches of one epoch, as rows: all rows in random order, cut into pools of
/// `batches_per_pool` batches; within a pool sorted by length, so that a batch holds texts of about
/// one length; the batches of a pool in random order. (torchtext's `BucketIterator`.)
///
/// A function of (seed, epoch): a resumed run has nothing to restore.
pub fn epoch_batches(lengths: &[usize], recipe: &Recipe, epoch: u32) -> Vec<Vec<usize>> {
    let rows = Philox::new(recipe.seed, ROWS_STREAM, epoch).permutation(lengths.len());
    let order = Philox::new(recipe.seed, BATCHES_STREAM, epoch);
    let batch_size = recipe.train.batch_size;
    let mut batches = Vec::new();
    for pool in rows.chunks(batch_size * recipe.train.batches_per_pool) {
        let mut pool = pool.to_vec();
        pool.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
        let pool: Vec<Vec<usize>> = pool.chunks(batch_size).map(<[usize]>::to_vec).collect();
        let first = batches.len() as u64;
        let mut keyed: Vec<_> = (first..).map(|index| order.block(index)).zip(pool).collect();
        keyed.sort_by_key(|(key, _)| *key);
        batches.extend(keyed.into_iter().map(|(_, batch)| batch));
    }
    batches
}

/// All rows once, in batches of about one length, for evaluation: the order does not matter there.
pub fn sorted_batches(lengths: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
    rows.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

/// What the model reads of a text: the head of it, up to `max_length` tokens; a text without tokens
/// reads as one unknown word, since an LSTM has no state to show before its first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Longest text in tokens, if there is a limit.
    pub max_length: Option<usize>,
    /// Whether the LSTM reads padding up to the batch's longest text.
    pub padding: Padding,
    /// The ids of the unknown word and of padding.
    pub specials: Specials,
}

impl View {
    /// As the recipe has it, for a vocabulary with these `specials`.
    pub fn new(recipe: &Recipe, specials: Specials) -> Self {
        Self { max_length: recipe.train.max_length, padding: recipe.model.padding, specials }
    }

    /// Tokens of `tokens` that are read.
    pub fn tokens<'a>(&'a self, tokens: &'a [u32]) -> &'a [u32] {
        if tokens.is_empty() {
            let Specials { unknown, padding } = &self.specials;
            return std::slice::from_ref(unknown.as_ref().unwrap_or(padding));
        }
        &tokens[..tokens.len().min(self.max_length.unwrap_or(usize::MAX))]
    }

    /// Lengths of all texts of a split, as they are read.
    pub fn lengths(self, split: &EncodedSplit) -> Vec<usize> {
        let limit = self.max_length.unwrap_or(usize::MAX);
        split.lengths().map(|length| length.clamp(1, limit)).collect()
    }

    /// A batch of texts.
    pub fn batch(self, texts: &[&[u32]]) -> Result<TokenBatch> {
        let texts: Vec<&[u32]> = texts.iter().map(|tokens| self.tokens(tokens)).collect();
        if self.padding == Padding::Mask {
            return Ok(TokenBatch::new(&texts)?);
        }
        let longest = texts.iter().map(|tokens| tokens.len()).max().unwrap_or(0);
        let padded: Vec<Vec<u32>> = texts
            .into_iter()
            .map(|tokens| {
                let mut padded = tokens.to_vec();
                padded.resize(longest, self.specials.padding);
                padded
            })
            .collect();
        let padded: Vec<&[u32]> = padded.iter().map(Vec::as_slice).collect();
        Ok(TokenBatch::new(&padded)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lengths() -> Vec<usize> {
        (0..1000).map(|i| 1 + (i * 7919) % 400).collect()
    }

    fn recipe() -> Recipe {
        Recipe::load("tutorial", &["train.batches_per_pool=10".into()]).unwrap()
    }

    #[test]
    fn every_row_once_and_buckets_of_one_length() {
        let lengths = lengths();
        let batches = epoch_batches(&lengths, &recipe(), 3);
        let mut rows: Vec<usize> = batches.iter().flatten().copied().collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..1000).collect::<Vec<_>>());
        let padded: usize = batches
            .iter()
            .map(|batch| batch.len() * batch.iter().map(|&row| lengths[row]).max().unwrap())
            .sum();
        let total: usize = lengths.iter().sum();
        assert!(padded < total * 6 / 5, "{padded} padded for {total} real steps");
    }

    #[test]
    fn an_epoch_is_a_function_of_seed_and_number() {
        let (lengths, recipe) = (lengths(), recipe());
        assert_eq!(epoch_batches(&lengths, &recipe, 1), epoch_batches(&lengths, &recipe, 1));
        assert_ne!(epoch_batches(&lengths, &recipe, 1), epoch_batches(&lengths, &recipe, 2));
        let other = Recipe { seed: 2, ..recipe.clone() };
        assert_ne!(epoch_batches(&lengths, &recipe, 1), epoch_batches(&lengths, &other, 1));
    }

    #[test]
    fn what_is_read_of_a_text() {
        let specials = Specials::default();
        let view = View { max_length: Some(3), padding: Padding::Mask, specials };
        assert_eq!(view.tokens(&[5, 6, 7, 8]), [5, 6, 7]);
        assert_eq!(view.tokens(&[]), [0]);
        let elsewhere = View { specials: Specials { unknown: Some(100), padding: 9 }, ..view };
        assert_eq!(elsewhere.tokens(&[]), [100]);
        let bytes = View { specials: Specials { unknown: None, padding: 400 }, ..view };
        assert_eq!(bytes.tokens(&[]), [400]);
        let lengths = |padding| {
            let view = View { padding, ..view };
            view.batch(&[&[5, 6, 7, 8], &[], &[9, 9]]).unwrap().packing().lengths().to_vec()
        };
        assert_eq!(lengths(Padding::Mask), [3, 1, 2]);
        assert_eq!(lengths(Padding::Tutorial), [3, 3, 3]);
    }
}
