//! What the corpus knows of a split's rows beside their tokens: ids, and what their texts are.

use taper_corpus::{batches, shards};

use crate::Result;
use crate::artifacts::Prepared;
use crate::prepare::text::{BATCH_ROWS, texts};

/// A row of a split, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CorpusRow {
    /// Its name in the data set.
    pub(crate) id: String,
    /// BLAKE3 of its text.
    pub(crate) text: [u8; 32],
}

/// Every row of a split, in order.
pub(crate) fn read_rows(prepared: &Prepared, split: &str) -> Result<Vec<CorpusRow>> {
    // An unknown split is an error that names those there are.
    prepared.manifest().split(prepared.folder(), split)?;
    let corpus = prepared.folder().join("corpus");
    let mut rows = Vec::new();
    for batch in batches(&shards(&corpus, split)?, &["id", "text"], BATCH_ROWS)? {
        let batch = batch?;
        let ids = texts(&batch, 0, &corpus)?.into_iter().map(str::to_owned);
        let hashes = texts(&batch, 1, &corpus)?
            .into_iter()
            .map(|text| *blake3::hash(text.as_bytes()).as_bytes());
        rows.extend(ids.zip(hashes).map(|(id, text)| CorpusRow { id, text }));
    }
    Ok(rows)
}
