//! `--predictions`: what a model said of every row, a line of JSON each.

use std::path::Path;

use serde::{Serialize, Serializer};

use super::rows::{CorpusRow, read_rows};
use crate::artifacts::Prepared;
use crate::evaluate::{Scored, ScoredRow};
use crate::model::ModelConfig;
use crate::{Error, Result, atomic};

/// A line; `N` is the name of a class, or where a text may have several labels, those of its labels.
#[derive(Serialize)]
struct Line<'a, N> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<N>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<N>,
    predicted: N,
    /// By name, in the order of the classes.
    #[serde(serialize_with = "by_name")]
    probabilities: (&'a [String], &'a [f64]),
    tokens: usize,
    unknown_tokens: usize,
    truncated: bool,
}

/// Writes every labelled row's id, label, predicted class and probabilities (at the model's temperature) as JSON lines,
/// atomically; where a text may have several labels, lists `labels` and `predicted`. `unknown_tokens` are those among the tokens that the model read.
///
/// # Errors
/// If the corpus cannot be read or the file not be written.
pub fn write_predictions(
    path: &Path,
    prepared: &Prepared,
    config: &ModelConfig,
    scored: &Scored,
) -> Result<()> {
    let rows = read_rows(prepared, &scored.split)?;
    let names = &config.class_names;
    let name = |class: u32| names.get(class as usize).map_or("", String::as_str);
    let mut lines = Vec::new();
    if let Some(threshold) = config.threshold {
        let of = |labels: &[u32]| labels.iter().copied().map(name).collect::<Vec<_>>();
        let scores = scored.label_scores(threshold)?;
        for (row, (given, probabilities)) in scored.rows.iter().zip(scores.rows()) {
            let line = Line {
                labels: Some(of(scored.labels_of(row.label))),
                ..Line::new(&rows, row, of(&given), (names, probabilities))
            };
            add(path, &mut lines, &line)?;
        }
        return atomic::write(path, &lines);
    }
    let scores = scored.scores(config.temperature)?;
    for ((row, (probabilities, label)), predicted) in
        scored.rows.iter().zip(scores.rows()).zip(scores.predicted())
    {
        let line = Line {
            label: Some(name(label)),
            ..Line::new(&rows, row, name(*predicted), (names, probabilities))
        };
        add(path, &mut lines, &line)?;
    }
    atomic::write(path, &lines)
}

impl<'a, N> Line<'a, N> {
    /// All but what is right.
    fn new(
        rows: &'a [CorpusRow],
        row: &ScoredRow,
        predicted: N,
        probabilities: (&'a [String], &'a [f64]),
    ) -> Self {
        Self {
            id: rows.get(row.row).map_or("", |row| &row.id),
            label: None,
            labels: None,
            predicted,
            probabilities,
            tokens: row.tokens,
            unknown_tokens: row.unknown,
            truncated: row.truncated(),
        }
    }
}

fn add(path: &Path, lines: &mut Vec<u8>, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *lines, line)
        .map_err(|error| Error::run(path, format!("cannot be written as JSON: {error}")))?;
    lines.push(b'\n');
    Ok(())
}

fn by_name<S: Serializer>(pairs: &(&[String], &[f64]), out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(pairs.0.iter().zip(pairs.1))
}
