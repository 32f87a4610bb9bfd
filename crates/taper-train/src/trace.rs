//! How one row became what it is: source, split, text as it came and as it was cut, ids, what is not known of it.

use serde::Serialize;
use taper_corpus::{Origin, batches, origin_of, shards};

use crate::prepare::text::{BATCH_ROWS, texts};
use crate::{Error, Prepared, Result};

/// One row, from its source to its ids.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// The data set, as its recipe calls it.
    pub dataset: String,
    /// The container it came in.
    pub source: String,
    /// The file it came from, and where it stood there; `None` where that is not known.
    pub origin: Option<Origin>,
    /// The split the row is in.
    pub split: String,
    /// Its place there, from 0.
    pub row: usize,
    /// Its name in the data set.
    pub id: String,
    /// The split's other rows of that name: whoever named this row by it may have meant them.
    pub same_id: Vec<usize>,
    /// The name of its class; of several labels all, with ` | ` between them.
    pub label: Option<String>,
    /// What it shares with its like.
    pub group: Option<String>,
    /// The text as it came.
    pub text: String,
    /// The text as the tokenizer cuts it; `None` for a pipeline that is not ours.
    pub cleaned: Option<String>,
    /// Its tokens, in order.
    pub tokens: Vec<TracedToken>,
    /// Words outside the vocabulary, in order of their first place.
    pub unknown: Vec<String>,
    /// Words of the vocabulary without a vector, in the same order; `None` without vectors.
    pub without_vector: Option<Vec<String>>,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedToken {
    /// The word.
    pub token: String,
    /// Its id; outside the vocabulary that of the unknown word.
    pub id: u32,
}

/// Finds the row that `row` names as `SPLIT:ID` (of several the first), or as `SPLIT:N` by its place from 0, and follows
/// it.
///
/// # Errors
///
/// A name without a colon, an unknown split (with those there are), a row the split does not have; ids on the disk that
/// are not those of the text.
pub fn trace(prepared: &Prepared, row: &str) -> Result<Trace> {
    let manifest = prepared.manifest();
    let corpus = prepared.folder().join("corpus");
    let (split, id) = row.split_once(':').ok_or_else(|| {
        Error::prepared(&corpus, format!("`{row}` names no row; expected SPLIT:ID, as in train:12"))
    })?;
    let rows = manifest.split(prepared.folder(), split)?.rows;
    let place = id.parse().ok().filter(|place: &usize| (*place as u64) < rows);
    let place = rows_named(prepared, split, id)?.first().copied().or(place).ok_or_else(|| {
        let dropped = if corpus.join("dropped.jsonl").exists() {
            "; what was left out stands in dropped.jsonl there"
        } else {
            ""
        };
        let message =
            format!("no row `{id}` in split `{split}`, by id or by number below {rows}{dropped}");
        Error::prepared(&corpus, message)
    })?;
    let records = prepared.records(split, &[place])?;
    let record = records
        .into_iter()
        .next()
        .ok_or_else(|| Error::prepared(&corpus, "fewer rows than were written; prepare again"))?;

    let mut same_id = rows_named(prepared, split, &record.id)?;
    same_id.retain(|&row| row != place);

    let origin = match manifest.origins {
        Some(_) if !manifest.moved => origin_of(&corpus, split, place as u64)?,
        _ => None,
    };

    let tokenizer = prepared.tokenizer()?;
    let words = tokenizer.tokens(&record.text)?;
    let encoded = prepared.encoded(split)?;
    let ids = encoded.tokens(place);
    if ids != tokenizer.encode(&record.text)? || ids.len() != words.len() {
        let message =
            format!("row {place} of split `{split}` is not what its text gives; prepare again");
        return Err(Error::prepared(&prepared.folder().join("encoded"), message));
    }
    let has_vector = prepared.has_vector()?;
    let lacks_vector =
        |id: u32| has_vector.as_ref().is_some_and(|has| has.get(id as usize) != Some(&true));
    let is_unknown = |id: u32| manifest.specials.unknown == Some(id);
    let tokens: Vec<TracedToken> =
        words.into_iter().zip(ids).map(|(token, id)| TracedToken { token, id: *id }).collect();
    Ok(Trace {
        dataset: manifest.dataset.clone(),
        source: manifest.source.clone(),
        origin,
        split: split.to_owned(),
        row: place,
        same_id,
        label: manifest.label_of(&record),
        cleaned: tokenizer.normalization().map(|rules| rules.apply(&record.text).into_owned()),
        unknown: distinct(&tokens, is_unknown),
        without_vector: has_vector
            .as_ref()
            .map(|_| distinct(&tokens, |id| !is_unknown(id) && lacks_vector(id))),
        tokens,
        id: record.id,
        group: record.group,
        text: record.text,
    })
}

/// The places of the rows with this id.
fn rows_named(prepared: &Prepared, split: &str, id: &str) -> Result<Vec<usize>> {
    let corpus = prepared.folder().join("corpus");
    let (mut named, mut first) = (Vec::new(), 0);
    for batch in batches(&shards(&corpus, split)?, &["id"], BATCH_ROWS)? {
        let batch = batch?;
        let ids = texts(&batch, 0, &corpus)?;
        named.extend((first..).zip(ids).filter(|(_, known)| *known == id).map(|(row, _)| row));
        first += batch.num_rows();
    }
    Ok(named)
}

/// Each word once, in order.
fn distinct(tokens: &[TracedToken], wanted: impl Fn(u32) -> bool) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let words = tokens.iter().filter(|token| wanted(token.id)).map(|token| token.token.clone());
    words.filter(|word| seen.insert(word.clone())).collect()
}
