//! The second stage: the training texts' words, counted and numbered, to `tokenizer.json`; or the file that the recipe
//! names, as it is.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use taper_corpus::{batches, shards};
use taper_text::{Normalization, TokenCounts, Tokenizer, Vocabulary, VocabularyOptions};

use super::PrepareEvent;
use crate::fingerprint::{self, Fingerprint};
use crate::manifest::Stage;
use crate::recipe::Text;
use crate::{Error, Result};

const VERSION: u32 = 1;

/// Texts tokenized at once: enough to keep every core busy, few enough to fit anywhere.
pub(crate) const BATCH_ROWS: usize = 2048;

/// What the stage depends on: the `[text]` table and the training texts, in any order; of a file its bytes alone.
pub(super) fn fingerprint(text: &Text, train_content: &str) -> Result<String> {
    if Tokenizer::is_path(&text.tokenizer) {
        let bytes = fingerprint::of_file(Path::new(&text.tokenizer))?;
        return Ok(Fingerprint::new(Stage::Text.name(), VERSION).field("file", &bytes).finish());
    }
    let size = text.max_vocabulary.map_or_else(|| "all".to_owned(), |size| size.to_string());
    Ok(Fingerprint::new(Stage::Text.name(), VERSION)
        .field("tokenizer", &text.tokenizer)
        .field("lowercase", &text.lowercase.to_string())
        .field("max_vocabulary", &size)
        .field("min_frequency", &text.min_frequency.to_string())
        .field("train", train_content)
        .finish())
}

/// Counts the training split's words.
pub(super) fn count(
    text: &Text,
    corpus: &Path,
    total: u64,
    stage: Stage,
    events: &mut dyn FnMut(PrepareEvent),
) -> Result<TokenCounts> {
    let tokenizer = tokenizer(text)?;
    let mut counts = TokenCounts::default();
    let mut rows = 0;
    for batch in batches(&shards(corpus, "train")?, &["text"], BATCH_ROWS)? {
        let batch = batch?;
        counts.merge(TokenCounts::counts_of(&texts(&batch, 0, corpus)?, &tokenizer)?);
        rows += batch.num_rows() as u64;
        events(PrepareEvent::Rows { stage, rows, total: Some(total) });
    }
    Ok(counts)
}

/// The file that the recipe names, which needs no counts.
pub(super) fn from_file(text: &Text) -> Result<Option<Tokenizer>> {
    Tokenizer::is_path(&text.tokenizer).then(|| tokenizer(text)).transpose()
}

/// The tokenizer with the vocabulary of `counts`.
pub(super) fn build(text: &Text, counts: &TokenCounts) -> Result<Tokenizer> {
    let vocabulary = Vocabulary::build(
        counts,
        &VocabularyOptions { max_size: text.max_vocabulary, min_frequency: text.min_frequency },
    )?;
    Ok(tokenizer(text)?.with_vocabulary(&vocabulary)?)
}

/// One column of a batch as strings.
pub(crate) fn texts<'a>(
    batch: &'a RecordBatch,
    column: usize,
    corpus: &Path,
) -> Result<Vec<&'a str>> {
    let strings = batch
        .columns()
        .get(column)
        .and_then(|column| column.as_string_opt::<i32>())
        .filter(|strings| strings.null_count() == 0)
        .ok_or_else(|| Error::prepared(corpus, "not the corpus that was written; prepare again"))?;
    Ok(strings.iter().flatten().collect())
}

fn tokenizer(text: &Text) -> Result<Tokenizer> {
    let normalization = Normalization { lowercase: text.lowercase };
    Ok(Tokenizer::open(&text.tokenizer, normalization)?)
}
