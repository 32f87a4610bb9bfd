//! An inspection as a file: JSON, or Parquet with a row for each token in each direction of each layer.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float32Array, RecordBatch, StringArray, UInt32Array};
use parquet::arrow::ArrowWriter;

use super::document::{DirectionMemory, InspectedText, Inspection};
use crate::{Error, Result, atomic};

/// Writes a file whose name ends in `.json` (the whole document) or `.parquet` (its tokens as a table): whole, or as it
/// was before.
///
/// The table has `text` (number of the text, from 0), `position` (of the token in it), `token`, `id`, `known`, `contribution`,
/// `layer`, `direction`, and the columns of [`super::TokenColumns`] by their names.
///
/// # Errors
/// Another ending, a folder that cannot be written to.
pub fn export(path: &Path, inspection: &Inspection) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => {
            let mut bytes = serde_json::to_vec(inspection)
                .map_err(|error| Error::run(path, format!("cannot be written: {error}")))?;
            bytes.push(b'\n');
            atomic::write(path, &bytes)
        }
        Some("parquet") => {
            let bytes = table(inspection)
                .map_err(|error| Error::run(path, format!("cannot be written: {error}")))?;
            atomic::write(path, &bytes)
        }
        _ => Err(Error::run(path, "unknown ending; expected FILE.json or FILE.parquet")),
    }
}

fn table(inspection: &Inspection) -> parquet::errors::Result<Vec<u8>> {
    let batches: Vec<RecordBatch> = inspection
        .texts
        .iter()
        .zip(0..)
        .flat_map(|(text, number)| text.memory.iter().map(move |memory| (number, text, memory)))
        .map(|(number, text, memory)| rows(number, text, memory))
        .collect::<Result<_, _>>()?;
    let Some(first) = batches.first() else {
        return Err(parquet::errors::ParquetError::General("no texts".into()));
    };
    let mut writer = ArrowWriter::try_new(Vec::new(), first.schema(), None)?;
    for batch in &batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

fn rows(
    number: u32,
    text: &InspectedText,
    memory: &DirectionMemory,
) -> arrow::error::Result<RecordBatch> {
    let tokens = &text.tokens;
    let words = tokens.iter().map(|token| token.token.as_str());
    let ids = tokens.iter().map(|token| token.id);
    let same = |value: u32| Arc::new(UInt32Array::from(vec![value; tokens.len()])) as ArrayRef;
    let direction = vec![memory.direction; tokens.len()];
    let known: Vec<bool> = tokens.iter().map(|token| token.known).collect();
    let contributions = tokens.iter().map(|token| token.contribution);
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("text", same(number)),
        ("position", Arc::new(UInt32Array::from_iter_values(0..tokens.len() as u32))),
        ("token", Arc::new(StringArray::from_iter_values(words))),
        ("id", Arc::new(UInt32Array::from_iter_values(ids))),
        ("known", Arc::new(BooleanArray::from(known))),
        ("contribution", Arc::new(Float32Array::from_iter_values(contributions))),
        ("layer", same(memory.layer as u32)),
        ("direction", Arc::new(StringArray::from(direction))),
    ];
    let of = &memory.tokens;
    for (name, values) in [
        ("i", &of.i),
        ("f", &of.f),
        ("o", &of.o),
        ("remember", &of.remember),
        ("add", &of.add),
        ("erase", &of.erase),
        ("overwrite", &of.overwrite),
        ("before", &of.before),
        ("forgotten", &of.forgotten),
        ("deposit", &of.deposit),
        ("after", &of.after),
        ("surviving", &of.surviving),
        ("released", &of.released),
        ("gradient_h", &of.gradient_h),
        ("gradient_c", &of.gradient_c),
        ("kept", &of.kept),
    ] {
        columns.push((name, Arc::new(Float32Array::from(values.clone()))));
    }
    RecordBatch::try_from_iter(columns)
}
