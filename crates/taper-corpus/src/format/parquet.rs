//! Parquet with any column names, in any folder, under any file name.
//!
//! ```text
//! text          a string
//! label         a string, integer or boolean, read as it is written; where the `huggingface` key names
//!               the column's classes, an integer is the number of one, and -1 is no label. Where a text
//!               may have several: a list of those, or a string that is split
//! group, id     a string, integer or boolean
//! ```
//! Columns that are not asked for are not read.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::errors::ParquetError;

use super::pick::{Picks, pick};
use super::{DataFile, Raw, Row, Rows, bad, several};
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

/// What stands in a row: a label, or where it may have several, those.
type LabelOrLabels = (Option<String>, Option<Vec<String>>);

fn is_string(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        || matches!(kind, DataType::Dictionary(_, of) if **of == DataType::Utf8)
}

fn is_word(kind: &DataType) -> bool {
    kind.is_integer() || *kind == DataType::Boolean || *kind == DataType::Null
}

/// What a column of lists holds lists of.
fn item_of(kind: &DataType) -> Option<&DataType> {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type())
        }
        _ => None,
    }
}

fn value(column: &StringArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// The rows of a Parquet file.
pub(super) struct ParquetRows {
    batches: FileBatches,
    /// The places of the columns among those that are read.
    picks: Picks,
    classes: Option<Vec<String>>,
    separator: Option<String>,
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
            let is_label = picks.label == Some(at) && !is_text;
            let listed = item_of(kind).filter(|_| is_label && file.separator.is_some());
            let kind_of_cell = listed.unwrap_or(kind);
            if !is_string(kind_of_cell) && (is_text || !is_word(kind_of_cell)) {
                let list = is_label && item_of(kind).is_some();
                let strings = match (is_text, list) {
                    (true, _) => "strings",
                    (false, true) => {
                        "strings, integers or booleans, or that it is said that texts have several labels"
                    }
                    (false, false) => "strings, integers or booleans",
                };
                return Err(Error::Schema {
                    path: file.path.clone(),
                    column: names[at].clone(),
                    found: format!("holds {kind}"),
                    expected: format!("a column of {strings}"),
                });
            }
        }
        let place = |at: usize| wanted.iter().position(|&kept| kept == at);
        Ok(Self {
            batches: FileBatches::at(&file.path, builder, &wanted, BATCH_ROWS)?,
            picks: Picks {
                text: picks.text.iter().filter_map(|&at| place(at)).collect(),
                label: picks.label.and_then(place),
                group: picks.group.and_then(place),
                id: picks.id.and_then(place),
            },
            classes: class_names(file)?,
            separator: file.separator.clone(),
            ready: Vec::new().into_iter(),
        })
    }

    fn decode(&self, first: u64, batch: &RecordBatch) -> Result<Vec<Row>> {
        let path = self.batches.path();
        let strings = |array: &ArrayRef| match item_of(array.data_type()) {
            Some(_) => cast(array, &DataType::new_list(DataType::Utf8, true)),
            None => cast(array, &DataType::Utf8),
        };
        let columns: Vec<ArrayRef> =
            batch.columns().iter().map(strings).collect::<Result<_, _>>().map_err(|error| {
                Error::Parquet { place: Place::row(path, first), source: ParquetError::from(error) }
            })?;
        let cell =
            |at: usize, row: usize| columns[at].as_string_opt().and_then(|of| value(of, row));
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
                Some(texts) => self.labels(&columns, row, place).map(|(label, labels)| Raw {
                    text: texts.join("\n"),
                    label,
                    labels,
                    group: word(self.picks.group, row),
                    id: word(self.picks.id, row),
                }),
            };
            let raw = raw.map_err(|error| bad(error, b""));
            Row { position: Some(Position::Row(first + row as u64)), raw }
        });
        Ok(rows.collect())
    }

    /// The label of a row, or where it may have several, those.
    fn labels(&self, columns: &[ArrayRef], row: usize, place: Place) -> Result<LabelOrLabels> {
        let Some(column) = self.picks.label.map(|at| &columns[at]) else {
            return Ok((None, None));
        };
        let cell = column.as_string_opt().and_then(|column| value(column, row));
        let Some(separator) = &self.separator else {
            let word = cell.filter(|word| !word.trim().is_empty());
            return Ok((self.label(word, place)?, None));
        };
        let found = if let Some(lists) = column.as_list_opt::<i32>() {
            lists.is_valid(row).then(|| {
                let list = lists.value(row);
                let items = list.as_string::<i32>();
                let item = |at| value(items, at).filter(|word| !word.trim().is_empty());
                let missing = || "a list with an empty label".to_owned();
                (0..items.len()).map(|at| item(at).ok_or_else(missing)).collect()
            })
        } else {
            cell.map(|cell| several::split(&cell, separator))
        };
        let refused = |problem| Error::Malformed { place: place.clone(), problem };
        let Some(found) = found.transpose().map_err(refused)? else {
            return Ok((None, None));
        };
        let named = |word| {
            let none = || refused("has -1, which is no label, among several".to_owned());
            self.label(Some(word), place.clone())?.ok_or_else(none)
        };
        Ok((None, Some(found.into_iter().map(named).collect::<Result<_>>()?)))
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
