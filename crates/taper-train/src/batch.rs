//! Which texts share a step, and what of them the model reads.

use std::borrow::Cow;

use taper_lstm::{Philox, TokenBatch};
use taper_text::Specials;

use crate::Result;
use crate::artifacts::EncodedSplit;
use crate::recipe::{Padding, Recipe, Truncate};

/// The streams of random numbers that order the rows and the batches, and that drop words.
const ROWS_STREAM: u32 = 0x2000;
const BATCHES_STREAM: u32 = 0x2001;
const WORDS_STREAM: u32 = 0x2002;

/// The batches of one epoch, as rows: all rows in random order, cut into pools of
/// `batches_per_pool` batches; within a pool sorted by length, so that a batch holds texts of about
/// one length; the batches of a pool in random order. (torchtext's `BucketIterator`.) With `batch_tokens` a
/// batch of long texts has fewer of them.
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
        let pool = cut(&pool, lengths, batch_size, recipe.train.batch_tokens);
        let first = batches.len() as u64;
        let mut keyed: Vec<_> = (first..).map(|index| order.block(index)).zip(pool).collect();
        keyed.sort_by_key(|(key, _)| *key);
        batches.extend(keyed.into_iter().map(|(_, batch)| batch));
    }
    batches
}

/// Rows in order, cut into batches of at most `batch_size` texts and, but for a text of more, `batch_tokens` tokens.
fn cut(
    rows: &[usize],
    lengths: &[usize],
    batch_size: usize,
    batch_tokens: Option<usize>,
) -> Vec<Vec<usize>> {
    let most = batch_tokens.unwrap_or(usize::MAX);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for &row in rows {
        match batches.last_mut() {
            Some(batch) if batch.len() < batch_size && tokens + lengths[row] <= most => {
                batch.push(row);
                tokens += lengths[row];
            }
            _ => {
                batches.push(vec![row]);
                tokens = lengths[row];
            }
        }
    }
    batches
}

/// `texts` with a share `p` of their tokens read as `unknown`; a function of (seed, number of the batch).
pub fn drop_words(texts: &[&[u32]], p: f64, unknown: u32, seed: u64, batch: u32) -> Vec<Vec<u32>> {
    let numbers = Philox::new(seed, WORDS_STREAM, batch);
    let mut index = 0..;
    let mut read = |&token: &u32| {
        let dropped = index.next().is_some_and(|index| numbers.uniform(index) < p);
        if dropped { unknown } else { token }
    };
    texts.iter().map(|text| text.iter().map(&mut read).collect()).collect()
}

/// All rows once, in batches of about one length, for evaluation: the order does not matter there.
pub fn sorted_batches(lengths: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
    rows.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

/// What the model reads of a text: up to `max_length` tokens of it; a text without tokens
/// reads as one unknown word, since an LSTM has no state to show before its first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Longest text in tokens, if there is a limit.
    pub max_length: Option<usize>,
    /// What of a longer one is read.
    pub truncate: Truncate,
    /// Whether the LSTM reads padding up to the batch's longest text.
    pub padding: Padding,
    /// The ids of the unknown word and of padding.
    pub specials: Specials,
}

impl View {
    /// As the recipe has it, for a vocabulary with these `specials`.
    pub fn new(recipe: &Recipe, specials: Specials) -> Self {
        Self {
            max_length: recipe.train.max_length,
            truncate: recipe.train.truncate,
            padding: recipe.model.padding,
            specials,
        }
    }

    /// Tokens of `tokens` that are read.
    pub fn tokens<'a>(&'a self, tokens: &'a [u32]) -> Cow<'a, [u32]> {
        if tokens.is_empty() {
            let Specials { unknown, padding } = &self.specials;
            return Cow::Borrowed(std::slice::from_ref(unknown.as_ref().unwrap_or(padding)));
        }
        let Some(max) = self.max_length.filter(|&max| max < tokens.len()) else {
            return Cow::Borrowed(tokens);
        };
        match self.truncate {
            Truncate::Head => Cow::Borrowed(&tokens[..max]),
            Truncate::Tail => Cow::Borrowed(&tokens[tokens.len() - max..]),
            Truncate::HeadTail => {
                let head = max / 4;
                let tail = tokens.len() - (max - head);
                Cow::Owned([&tokens[..head], &tokens[tail..]].concat())
            }
        }
    }

    /// Lengths of all texts of a split, as they are read.
    pub fn lengths(self, split: &EncodedSplit) -> Vec<usize> {
        let limit = self.max_length.unwrap_or(usize::MAX);
        split.lengths().map(|length| length.clamp(1, limit)).collect()
    }

    /// A batch of texts.
    pub fn batch(self, texts: &[&[u32]]) -> Result<TokenBatch> {
        let read: Vec<Cow<[u32]>> = texts.iter().map(|tokens| self.tokens(tokens)).collect();
        let texts: Vec<&[u32]> = read.iter().map(AsRef::as_ref).collect();
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
    fn batches_keep_to_their_tokens() {
        let lengths = lengths();
        let recipe = Recipe::load("tutorial", &["train.batch_tokens=300".into()]).unwrap();
        let batches = epoch_batches(&lengths, &recipe, 1);
        let mut rows: Vec<usize> = batches.iter().flatten().copied().collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..1000).collect::<Vec<_>>());
        for batch in &batches {
            let tokens: usize = batch.iter().map(|&row| lengths[row]).sum();
            assert!(tokens <= 300 || batch.len() == 1, "{tokens} tokens in {}", batch.len());
            assert!(batch.len() <= 30);
        }
        assert!(batches.iter().any(|batch| batch.len() > 5));
    }

    #[test]
    fn words_are_dropped_by_their_share() {
        let text: Vec<u32> = (10..10_010).collect();
        let dropped = drop_words(&[&text, &text], 0.2, 0, 1, 3);
        assert_eq!(dropped, drop_words(&[&text, &text], 0.2, 0, 1, 3));
        assert_ne!(dropped[0], dropped[1]);
        let unknown = dropped.iter().flatten().filter(|&&id| id == 0).count();
        assert!((unknown as f64 / 20_000.0 - 0.2).abs() < 0.01, "{unknown}");
        let kept = dropped[0].iter().zip(&text).filter(|(read, token)| read == token).count();
        assert_eq!(kept, text.len() - dropped[0].iter().filter(|&&id| id == 0).count());
    }

    #[test]
    fn what_is_read_of_a_text() {
        let specials = Specials::default();
        let view = View {
            max_length: Some(3),
            truncate: Truncate::Head,
            padding: Padding::Mask,
            specials,
        };
        assert_eq!(view.tokens(&[5, 6, 7, 8]).as_ref(), [5, 6, 7]);
        assert_eq!(view.tokens(&[]).as_ref(), [0]);
        let elsewhere = View { specials: Specials { unknown: Some(100), padding: 9 }, ..view };
        assert_eq!(elsewhere.tokens(&[]).as_ref(), [100]);
        let bytes = View { specials: Specials { unknown: None, padding: 400 }, ..view };
        assert_eq!(bytes.tokens(&[]).as_ref(), [400]);
        let tail = View { truncate: Truncate::Tail, ..view };
        assert_eq!(tail.tokens(&[5, 6, 7, 8]).as_ref(), [6, 7, 8]);
        let both = View { truncate: Truncate::HeadTail, max_length: Some(5), ..view };
        assert_eq!(both.tokens(&[1, 2, 3, 4, 5, 6, 7]).as_ref(), [1, 4, 5, 6, 7]);
        assert_eq!(both.tokens(&[1, 2, 3, 4, 5]).as_ref(), [1, 2, 3, 4, 5]);
        let lengths = |padding| {
            let view = View { padding, ..view };
            view.batch(&[&[5, 6, 7, 8], &[], &[9, 9]]).unwrap().packing().lengths().to_vec()
        };
        assert_eq!(lengths(Padding::Mask), [3, 1, 2]);
        assert_eq!(lengths(Padding::Tutorial), [3, 3, 3]);
    }
}
