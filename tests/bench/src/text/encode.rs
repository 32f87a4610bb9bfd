//! Text to ids on one thread, normalization and look-up included.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, Result};
use taper_text::{Normalization, TokenCounts, Tokenizer, Vocabulary, VocabularyOptions};

use super::entry::{Entry, Task};
use super::texts::Texts;

/// The tutorial's tokenizer first: its speed is the headline.
pub(super) const NAMES: [&str; 3] = ["spacy", "english", "whitespace"];
/// Names of the entries, in the same order.
pub(super) const ENTRIES: [&str; 3] = ["encode-spacy", "encode-english", "encode-whitespace"];

/// The tokenizers of [`NAMES`], each with the 10,000 most frequent of its words.
pub(super) fn encoders(texts: &Texts) -> Result<Vec<Tokenizer>> {
    let encoder = |name: &&str| {
        let tokenizer = Tokenizer::named(name, Normalization { lowercase: false })?;
        let counts = TokenCounts::counts_of(&texts.all, &tokenizer)?;
        let options = VocabularyOptions { max_size: Some(10_000), min_frequency: 1 };
        Ok(tokenizer.with_vocabulary(&Vocabulary::build(&counts, &options)?)?)
    };
    NAMES.iter().map(encoder).collect()
}

pub(super) fn entries<'a>(texts: &'a Texts, encoders: &'a [Tokenizer]) -> Vec<Entry<'a>> {
    let task = Task::Encode(texts.megabytes());
    let entry = |((name, entry), encoder): ((&str, &'static str), &'a Tokenizer)| {
        let about = format!("Taper, the tokenizer `{name}` and 10,000 words, one thread");
        Entry::new((entry, entry), about, task, move || seconds(texts, encoder))
    };
    NAMES.into_iter().zip(ENTRIES).zip(encoders).map(entry).collect()
}

/// A first pass over the texts: the encoder has met none of them.
fn seconds(texts: &Texts, encoder: &Tokenizer) -> Result<f64> {
    let vocabulary = encoder.vocabulary().context("an encoder has a vocabulary")?;
    let encoder = encoder.with_vocabulary(vocabulary)?;
    let start = Instant::now();
    for text in (0..texts.repeats).flat_map(|_| &texts.all) {
        black_box(encoder.encode(text)?);
    }
    Ok(start.elapsed().as_secs_f64())
}
