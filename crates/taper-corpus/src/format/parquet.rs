//! Parquet with any column names, in any folder, under any file name.
//!
//! ```text
//! text          a string
//! label         a string, integer or boolean, read as it is written; where the `huggingface` key names
//!               the column's classes, an integer is the number of one, and -1 is no label
//! group, id     a string, integer or boolean
//! ```
//! Columns that are not asked for are not read.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::errors::ParquetError;

use super::pick::{Picks, pick};
use super::{DataFile, Raw, Row, Rows, bad};
use crate::error::{Error, Place, Position, Result};
use crate::read::{FileBatches, open};
use crate::schema::{HUGGINGFACE_KEY, column_class_names, metadata_value};

/// Rows that are unpacked before the length of one is looked at: few, since each may be long.
const BATCH_ROWS: usize = 64;

/// The names of a file's columns.
pub(super) fn columns(path: &Path) -> Result<Vec<String>> {
    let builder = open(path)?;
    Ok(builder.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// The class names that the file gives its label column.
pub(crate) fn class_names(file: &DataFile) -> Result<Option<Vec<String>>> {
    let names = columns(&file.path)?;
    let picks = pick(&file.path, &names, &file.columns, file.label)?;
    let builder = open(&file.path)?;
    let footer = builder.metadata().file_metadata();
    let features = metadata_value(footer, HUGGINGFACE_KEY);
    Ok(picks.label.and_then(|at| column_class_names(features?, &names[at])))
}

/// The rows of a Parquet file.
pub(super) struct ParquetRows {
    batches: FileBatches,
    /// The places of the columns among those that are read.
    picks: Picks,
    classes: Option<Vec<String>>,
    ready: std::vec::IntoIter<Row>,
}

impl ParquetRows {
    pub(super) fn open(file: &DataFile) -> Result<Self> {
        let names = columns(&file.path)?;
        let picks = pick(&file.path, &names, &file.columns, file.label)?;
        let builder = open(&file.path)?;
        let wanted = picks.all();
        for &at in &wanted {
            let kind = builder.schema().field(at).data_type();
            let is_text = picks.text.contains(&at);
            let string = |kind: &DataType| {
                matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
                    || matches!(kind, DataType::Dictionary(_, of) if **of == DataType::Utf8)
            };
            let word = kind.is_integer() || *kind == DataType::Boolean || *kind == DataType::Null;
            if !string(kind) && (is_text || !word) {
                let strings = if is_text { "strings" } else { "strings, integers or booleans" };
                return Err(Error::Schema {
                    path: file.path.clone(),
                    column: names[at].clone(),
                    found: format!("holds {kind}"),
                    expected: format!("a column of {strings}"),
                });
            }
        }
        let read: Vec<String> = wanted.iter().map(|&at| names[at].clone()).collect();
        let place = |at: usize| wanted.iter().position(|&kept| kept == at);
        Ok(Self {
            batches: FileBatches::new(&file.path, &read, BATCH_ROWS)?,
            picks: Picks {
                text: picks.text.iter().filter_map(|&at| place(at)).collect(),
                label: picks.label.and_then(place),
                group: picks.group.and_then(place),
                id: picks.id.and_then(place),
            },
            classes: class_names(file)?,
            ready: Vec::new().into_iter(),
        })
    }

    fn decode(&self, first: u64, batch: &RecordBatch) -> Result<Vec<Row>> {
        let path = self.batches.path();
        let strings = |array: &ArrayRef| cast(array, &DataType::Utf8);
        let columns: Vec<_> =
            batch.columns().iter().map(strings).collect::<Result<_, _>>().map_err(|error| {
                Error::Parquet { place: Place::row(path, first), source: ParquetError::from(error) }
            })?;
        let columns: Vec<&StringArray> = columns.iter().map(AsArray::as_string).collect();
        let cell = |at: usize, row: usize| {
            columns[at].is_valid(row).then(|| columns[at].value(row).to_owned())
        };
        let word = |at: Option<usize>, row: usize| {
            at.and_then(|at| cell(at, row)).filter(|word| !word.trim().is_empty())
        };
        let rows = (0..batch.num_rows()).map(|row| {
            let place = Place::row(path, first + row as u64);
            let texts: Option<Vec<String>> =
                self.picks.text.iter().map(|&at| cell(at, row)).collect();
            let raw = match texts {
                None => Err(Error::Malformed {
                    place,
                    problem: "the text is null; give every row a string".to_owned(),
                }),
                Some(texts) => self.label(word(self.picks.label, row), place).map(|label| Raw {
                    text: texts.join("\n"),
                    label,
                    group: word(self.picks.group, row),
                    id: word(self.picks.id, row),
                }),
            };
            let raw = raw.map_err(|error| bad(error, b""));
            Row { position: Some(Position::Row(first + row as u64)), raw }
        });
        Ok(rows.collect())
    }

    /// The class's name, where the file gives names to numbers.
    fn label(&self, found: Option<String>, place: Place) -> Result<Option<String>> {
        let (Some(found), Some(classes)) = (found.clone(), &self.classes) else {
            return Ok(found);
        };
        if found == "-1" {
            return Ok(None);
        }
        let name = found.parse().ok().and_then(|number: usize| classes.get(number));
        let name = name.or_else(|| classes.iter().find(|name| **name == found)).cloned();
        let unknown = || Error::UnknownLabel { place, found, classes: classes.clone() };
        name.map(Some).ok_or_else(unknown)
    }
}

impl Rows for ParquetRows {
    fn next(&mut self) -> Result<Option<Row>> {
        loop {
            if let Some(row) = self.ready.next() {
                return Ok(Some(row));
            }
            let Some(next) = self.batches.next_batch() else {
                return Ok(None);
            };
            let (first, batch) = next?;
            self.ready = self.decode(first, &batch)?.into_iter();
        }
    }

    fn path(&self) -> &Path {
        self.batches.path()
    }
}
