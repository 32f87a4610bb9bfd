//! Where a record stood before it was in a corpus, and the three columns that say so there.
//!
//! ```text
//! file    string     its path below what was opened, with `/`; of a zip archive `reviews.zip/train.csv`
//! line    integer    in a file of lines, from 1
//! row     integer    in a Parquet file, from 0
//! ```
//! A corpus may go without them, and a file that is one text has neither line nor row. No fingerprint hangs on them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use serde::Serialize;

use crate::error::{Position, Result};
use crate::layout::shards;
use crate::read::{FileBatches, open};

const COLUMNS: [&str; 3] = ["file", "line", "row"];

/// The file that a record came from, and the line or row in it; where the file is one text, it has neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Its path below the folder that was opened, or that of the file, archive or pattern; with `/` on every system.
    pub file: String,
    /// The line it begins on, counted from 1, in a file of lines.
    pub line: Option<u64>,
    /// Its row, counted from 0, in a Parquet file.
    pub row: Option<u64>,
}

impl Origin {
    pub(crate) fn new(file: &Path, position: Option<Position>) -> Self {
        let file = file.to_string_lossy();
        let file = if cfg!(windows) { file.replace('\\', "/") } else { file.into_owned() };
        let (line, row) = match position {
            Some(Position::Line(line)) => (Some(line), None),
            Some(Position::Row(row)) => (None, Some(row)),
            None => (None, None),
        };
        Self { file, line, row }
    }
}

/// As errors name a place: `reviews.csv, line 17`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        let position = self.line.map(Position::Line).or_else(|| self.row.map(Position::Row));
        position.map_or(Ok(()), |position| write!(f, ", {position}"))
    }
}

/// Where a row of a corpus, counted from 0 in its split, stood before; `None` where the corpus does not say.
///
/// # Errors
/// A missing or damaged shard.
pub fn origin_of(dir: &Path, split: &str, row: u64) -> Result<Option<Origin>> {
    let mut left = row;
    for path in shards(dir, split)? {
        let builder = open(&path)?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        if left >= rows {
            left -= rows;
            continue;
        }
        let places = COLUMNS.map(|column| builder.schema().index_of(column));
        let [Ok(file), Ok(line), Ok(row)] = places else {
            return Ok(None);
        };
        let builder = builder.with_offset(left as usize).with_limit(1);
        let mut batches = FileBatches::at(&path, builder, &[file, line, row], 1)?;
        let batch = batches.next_batch().transpose()?;
        return Ok(batch.and_then(|(_, batch)| first(&batch)));
    }
    Ok(None)
}

/// The first row of the three columns.
fn first(batch: &RecordBatch) -> Option<Origin> {
    let number = |column: usize| {
        let column = batch.column(column).as_primitive_opt::<Int64Type>()?;
        column.iter().next()?.and_then(|number| u64::try_from(number).ok())
    };
    let file = batch.column(0).as_string_opt::<i32>()?.iter().next()??.to_owned();
    Some(Origin { file, line: number(1), row: number(2) })
}

/// The three columns of a schema.
pub(crate) fn fields() -> [Field; 3] {
    let [file, line, row] = COLUMNS;
    [
        Field::new(file, DataType::Utf8, true),
        Field::new(line, DataType::Int64, true),
        Field::new(row, DataType::Int64, true),
    ]
}

/// Their rows under way.
#[derive(Debug, Default)]
pub(crate) struct OriginColumns {
    file: StringBuilder,
    line: Int64Builder,
    row: Int64Builder,
}

impl OriginColumns {
    pub(crate) fn append(&mut self, origin: Option<&Origin>) {
        let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
        self.file.append_option(origin.map(|origin| &origin.file));
        self.line.append_option(number(origin.and_then(|origin| origin.line)));
        self.row.append_option(number(origin.and_then(|origin| origin.row)));
    }

    pub(crate) fn finish(mut self) -> [ArrayRef; 3] {
        [Arc::new(self.file.finish()), Arc::new(self.line.finish()), Arc::new(self.row.finish())]
    }
}
