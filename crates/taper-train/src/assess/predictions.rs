//! `--predictions`: what a model said of every row, a line of JSON each.

use std::path::Path;

use serde::{Serialize, Serializer};

use super::rows::read_rows;
use crate::artifacts::Prepared;
use crate::evaluate::Scored;
use crate::model::ModelConfig;
use crate::{Error, Result, atomic};

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    label: &'a str,
    predicted: &'a str,
    /// By name, in the order of the classes.
    #[serde(serialize_with = "by_name")]
    probabilities: (&'a [String], &'a [f64]),
    tokens: usize,
    unknown_tokens: usize,
    truncated: bool,
}

/// Writes every labelled row's id, label, predicted class and probabilities (at the model's temperature) as JSON lines,
/// atomically. `unknown_tokens` are those among the tokens that the model read.
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
    let scores = scored.scores(config.temperature)?;
    let names = &config.class_names;
    let name = |class: u32| names.get(class as usize).map_or("", String::as_str);
    let mut lines = Vec::new();
    for ((row, (probabilities, label)), predicted) in
        scored.rows.iter().zip(scores.rows()).zip(scores.predicted())
    {
        let line = Line {
            id: rows.get(row.row).map_or("", |row| &row.id),
            label: name(label),
            predicted: name(*predicted),
            probabilities: (names, probabilities),
            tokens: row.tokens,
            unknown_tokens: row.unknown,
            truncated: row.truncated(),
        };
        serde_json::to_writer(&mut lines, &line)
            .map_err(|error| Error::run(path, format!("cannot be written as JSON: {error}")))?;
        lines.push(b'\n');
    }
    atomic::write(path, &lines)
}

fn by_name<S: Serializer>(pairs: &(&[String], &[f64]), out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(pairs.0.iter().zip(pairs.1))
}
