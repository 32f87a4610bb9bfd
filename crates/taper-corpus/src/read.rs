//! Parquet back into record batches: a stream, with only the columns that are asked for.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use crate::error::{Error, Place, Result};
use crate::input::{FREE_BYTES, archive};
use crate::settings::Limits;

/// Decoded bytes of a batch, or about: where rows are long, it has fewer than were asked for.
const BATCH_BYTES: i64 = 64 << 20;

/// Opens a file up to its footer, which holds schema, metadata and row count. The member of an archive is unpacked first,
/// to a file without a name.
pub(crate) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = match archive::within(path) {
        Some((zip, member)) => {
            let member = archive::open(&zip, &member)?;
            let most = member.packed.saturating_mul(Limits::default().expansion).max(FREE_BYTES);
            archive::unpack(path, member, most)?
        }
        None => File::open(path).map_err(Error::io("open", path))?,
    };
    let size = file.metadata().map_err(Error::io("open", path))?.len();
    if size == 0 {
        return Err(Error::Empty { place: Place::file(path) });
    }
    // An Arrow schema that a writer left among the metadata says nothing that is needed, and a damaged one panics.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options))
        .map_err(|source| Error::Parquet { place: Place::file(path), source })
}

/// The library believes what a file says of its own encoding, and panics at some of it. What was at work is not to be used
/// any more then.
fn guarded<T, E: From<ParquetError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let problem = "the parquet library panicked: is the file damaged?";
        Err(ParquetError::General(problem.to_owned()).into())
    })
}

/// The batches of one file: the columns asked for, in the order asked for.
pub(crate) struct FileBatches {
    path: PathBuf,
    /// `None` after an error.
    reader: Option<ParquetRecordBatchReader>,
    order: Vec<usize>,
    next_row: u64,
}

impl FileBatches {
    /// # Errors
    /// Names the column that the file lacks.
    pub(crate) fn new(path: &Path, columns: &[String], batch_rows: usize) -> Result<Self> {
        let builder = open(path)?;
        let roots = column_indices(path, &builder, columns)?;
        Self::at(path, builder, &roots, batch_rows)
    }

    /// The columns by their places, for a name may stand there twice.
    pub(crate) fn at(
        path: &Path,
        builder: ParquetRecordBatchReaderBuilder<File>,
        roots: &[usize],
        batch_rows: usize,
    ) -> Result<Self> {
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
        // The reader keeps the file's order; `order` says where each wanted column comes out.
        let mut sorted = roots.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let order =
            roots.iter().filter_map(|root| sorted.iter().position(|kept| kept == root)).collect();
        let batch_rows = batch_rows.min(rows_within_bytes(&builder)).max(1);
        let builder = builder.with_projection(mask).with_batch_size(batch_rows);
        let reader = guarded(|| builder.build())
            .map_err(|source| Error::Parquet { place: Place::file(path), source })?;
        Ok(Self { path: path.to_owned(), reader: Some(reader), order, next_row: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next batch, and the number of its first row in the file. An error is the last.
    pub(crate) fn next_batch(&mut self) -> Option<Result<(u64, RecordBatch)>> {
        let (first, reader) = (self.next_row, self.reader.as_mut()?);
        let batch = guarded(|| {
            reader
                .next()
                .map(|batch| batch.and_then(|batch| batch.project(&self.order)))
                .transpose()
        });
        match batch {
            Ok(batch) => {
                let batch = batch?;
                self.next_row += batch.num_rows() as u64;
                Some(Ok((first, batch)))
            }
            Err(error) => {
                self.reader = None;
                Some(Err(self.fault(first, error)))
            }
        }
    }

    fn fault(&self, row: u64, error: ArrowError) -> Error {
        Error::Parquet { place: Place::row(&self.path, row), source: ParquetError::from(error) }
    }
}

/// How many rows of the widest group are decoded at a time.
fn rows_within_bytes(builder: &ParquetRecordBatchReaderBuilder<File>) -> usize {
    let groups = builder.metadata().row_groups().iter();
    let width = |rows: i64, bytes: i64| bytes.checked_div(rows).unwrap_or(0);
    let widest = groups.map(|group| width(group.num_rows(), group.total_byte_size())).max();
    usize::try_from(BATCH_BYTES / widest.unwrap_or(0).max(1)).unwrap_or(1)
}

fn column_indices(
    path: &Path,
    builder: &ParquetRecordBatchReaderBuilder<File>,
    columns: &[String],
) -> Result<Vec<usize>> {
    let schema = builder.schema();
    let find = |column: &String| {
        schema.index_of(column).map_err(|_| {
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            Error::Schema {
                path: path.to_owned(),
                column: column.clone(),
                found: "is missing".to_owned(),
                expected: format!("it among the file's columns {}", names.join(", ")),
            }
        })
    };
    columns.iter().map(find).collect()
}

/// Record batches from a list of files; see [`batches`].
pub struct Batches {
    files: VecDeque<PathBuf>,
    columns: Vec<String>,
    batch_rows: usize,
    current: Option<FileBatches>,
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches")
            .field("files", &self.files)
            .field("columns", &self.columns)
            .field("batch_rows", &self.batch_rows)
            .finish_non_exhaustive()
    }
}

/// Streams the files in order as batches of `[batch_rows, columns]`, of fewer rows at the end of a file and where
/// they are so long that a batch would have more than some 64 MiB. Only the columns asked for are read and decoded, and
/// they come in the order asked for.
///
/// # Errors
/// Every file's footer is read at once: a file that is missing, empty, cut short or without one of
/// the columns is told before the first batch. A damaged page is told when the stream reaches it,
/// and ends the stream.
pub fn batches(files: &[PathBuf], columns: &[&str], batch_rows: usize) -> Result<Batches> {
    let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    for path in files {
        column_indices(path, &open(path)?, &columns)?;
    }
    Ok(Batches { files: files.iter().cloned().collect(), columns, batch_rows, current: None })
}

impl Batches {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(current) = &mut self.current
                && let Some(batch) = current.next_batch()
            {
                return batch.map(|(_, batch)| Some(batch));
            }
            let Some(path) = self.files.pop_front() else {
                self.current = None;
                return Ok(None);
            };
            self.current = Some(FileBatches::new(&path, &self.columns, self.batch_rows)?);
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.files.clear();
            self.current = None;
        }
        next.transpose()
    }
}
