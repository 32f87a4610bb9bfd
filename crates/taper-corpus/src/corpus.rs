//! Records out to a corpus: one set of shards a split, class names and lineage in each file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, ListBuilder, RecordBatch, StringBuilder};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Place, Result};
use crate::layout::split_rank;
use crate::origin::{Origin, OriginColumns};
use crate::record::Record;
use crate::schema::Shape;
use crate::write::ShardWriter;

/// Encoded bytes of a shard, the Hub's own habit.
const MAX_SHARD_BYTES: u64 = 500 << 20;

/// Rows are handed on once they fill a megabyte or are this many.
const BUFFER_ROWS: usize = 1024;
const BUFFER_BYTES: usize = 1 << 20;

/// What was written of one split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSummary {
    /// The split's name.
    pub split: String,
    /// All its rows.
    pub rows: u64,
    /// Rows a class, in the order of the class names; a row of several labels counts for each.
    pub labels: Vec<u64>,
    /// Rows without a label.
    pub unlabelled: u64,
    /// Its shards, in order.
    pub files: Vec<PathBuf>,
    /// blake3 over every row's id, text, label and group, in order: 64 hexadecimal digits.
    pub content: String,
}

/// Writes records split by split; nothing is visible before [`finish`](Self::finish).
#[derive(Debug)]
pub struct CorpusWriter {
    dir: PathBuf,
    class_names: Vec<String>,
    lineage: BTreeMap<String, String>,
    shape: Shape,
    max_shard_bytes: u64,
    splits: Vec<SplitWriter>,
}

impl CorpusWriter {
    /// Begins a corpus in `dir`, which is made when the first record comes. `lineage` goes into
    /// every file's metadata, each key under the prefix `taper.`; keep times and paths out of it
    /// where equal input shall give equal bytes.
    pub fn create(
        dir: &Path,
        class_names: &[String],
        lineage: &BTreeMap<String, String>,
    ) -> Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            class_names: class_names.to_vec(),
            lineage: lineage.clone(),
            shape: Shape::default(),
            max_shard_bytes: MAX_SHARD_BYTES,
            splits: Vec::new(),
        })
    }

    /// As [`Self::create`], for texts of any number of labels: `labels` counts, and a list `labels` is written.
    pub fn create_label_sets(
        dir: &Path,
        class_names: &[String],
        lineage: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let shape = Shape { label_sets: true, ..Shape::default() };
        Ok(Self { shape, ..Self::create(dir, class_names, lineage)? })
    }

    /// Writes too where records stood, in the columns `file`, `line` and `row`; to be said before the first record.
    #[must_use]
    pub fn with_origins(mut self) -> Self {
        self.shape.origins = true;
        self
    }

    /// Closes a shard once it holds so many bytes of encoded data, instead of 500 MiB; to be said
    /// before the first record.
    #[cfg(test)]
    pub(crate) fn with_max_shard_bytes(mut self, bytes: u64) -> Self {
        self.max_shard_bytes = bytes;
        self
    }

    /// Adds a record to a split. Splits may come interleaved; a split keeps the order of its rows.
    ///
    /// # Errors
    /// A label outside the class names, or several where a text has one (and the other way round); a split name that cannot be a file name; a full disk.
    #[allow(clippy::needless_pass_by_value)] // Sources hand their records over; so do visitors.
    pub fn write(&mut self, split: &str, record: Record) -> Result<()> {
        self.add(split, &record, None)
    }

    /// As [`Self::write`], with where the record stood, which is kept by a writer [`Self::with_origins`]. No summary
    /// hangs on it.
    ///
    /// # Errors
    /// As [`Self::write`].
    #[allow(clippy::needless_pass_by_value)] // As there.
    pub fn write_from(&mut self, split: &str, record: Record, origin: Origin) -> Result<()> {
        self.add(split, &record, Some(&origin))
    }

    fn add(&mut self, split: &str, record: &Record, origin: Option<&Origin>) -> Result<()> {
        let known = self.splits.iter().position(|writer| writer.summary.split == split);
        let index = if let Some(index) = known {
            index
        } else {
            self.splits.push(self.start_split(split)?);
            self.splits.len() - 1
        };
        let mut labels = record.label.iter().chain(record.labels.iter().flatten());
        if let Some(label) = labels.find(|&&label| label as usize >= self.class_names.len()) {
            return Err(Error::UnknownLabel {
                place: Place::member(&self.dir, &record.id),
                found: label.to_string(),
                classes: self.class_names.clone(),
            });
        }
        let wrong = match (&record.label, self.shape.label_sets) {
            (Some(_), true) => Some("one label where a text has a list of them"),
            (None, false) if record.labels.is_some() => {
                Some("a list of labels where a text has one")
            }
            _ => None,
        };
        if let Some(problem) = wrong {
            let (place, problem) = (Place::member(&self.dir, &record.id), format!("has {problem}"));
            return Err(Error::Malformed { place, problem });
        }
        self.splits[index].write(record, origin)
    }

    /// Puts all splits on the disk, then gives them their names; removes what an earlier corpus in
    /// the folder left of the same splits (other splits are left alone).
    ///
    /// # Errors
    /// No record at all; a full disk, which leaves everything as it was before.
    pub fn finish(self) -> Result<Vec<SplitSummary>> {
        if self.splits.is_empty() {
            return Err(Error::NoRows { place: Place::file(&self.dir), split: None });
        }
        let mut writers = self.splits;
        writers.sort_by(|a, b| {
            let key = |writer: &SplitWriter| {
                (split_rank(&writer.summary.split), writer.summary.split.clone())
            };
            key(a).cmp(&key(b))
        });
        let mut closed = Vec::with_capacity(writers.len());
        for mut writer in writers {
            writer.flush()?;
            writer.summary.content = writer.content.finalize().to_hex().to_string();
            closed.push((writer.summary, writer.shards.close()?));
        }
        let mut summaries = Vec::with_capacity(closed.len());
        for (mut summary, shards) in closed {
            summary.files = shards.publish()?;
            summaries.push(summary);
        }
        Ok(summaries)
    }

    fn start_split(&self, split: &str) -> Result<SplitWriter> {
        Ok(SplitWriter {
            shards: ShardWriter::create(
                &self.dir,
                split,
                self.shape.schema(),
                &self.shape.metadata(&self.class_names, &self.lineage),
                self.max_shard_bytes,
            )?,
            summary: SplitSummary {
                split: split.to_owned(),
                rows: 0,
                labels: vec![0; self.class_names.len()],
                unlabelled: 0,
                files: Vec::new(),
                content: String::new(),
            },
            content: blake3::Hasher::new_derive_key("taper-corpus 2026 content of a split"),
            columns: Columns::default(),
            shape: self.shape,
        })
    }
}

#[derive(Debug)]
struct SplitWriter {
    shards: ShardWriter,
    summary: SplitSummary,
    content: blake3::Hasher,
    columns: Columns,
    shape: Shape,
}

#[derive(Debug, Default)]
struct Columns {
    id: StringBuilder,
    text: StringBuilder,
    label: Int64Builder,
    labels: ListBuilder<Int64Builder>,
    group: StringBuilder,
    origin: OriginColumns,
    rows: usize,
    bytes: usize,
}

impl SplitWriter {
    /// The label was checked against the class names at the door.
    fn write(&mut self, record: &Record, origin: Option<&Origin>) -> Result<()> {
        hash_record(&mut self.content, record);
        self.summary.rows += 1;
        for label in record.label.iter().chain(record.labels.iter().flatten()) {
            self.summary.labels[*label as usize] += 1;
        }
        let unlabelled = record.label.is_none() && record.labels.is_none();
        self.summary.unlabelled += u64::from(unlabelled);
        let columns = &mut self.columns;
        columns.id.append_value(&record.id);
        columns.text.append_value(&record.text);
        if self.shape.label_sets {
            let labels = record.labels.as_ref();
            let item = |&label: &u32| Some(i64::from(label));
            columns.labels.append_option(labels.map(|labels| labels.iter().map(item)));
        } else {
            columns.label.append_option(record.label.map(i64::from));
        }
        columns.group.append_option(record.group.as_deref());
        if self.shape.origins {
            columns.origin.append(origin);
        }
        columns.rows += 1;
        columns.bytes += record.text.len() + record.id.len();
        columns.bytes += record.group.as_ref().map_or(0, String::len);
        if columns.rows >= BUFFER_ROWS || columns.bytes >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut columns = std::mem::take(&mut self.columns);
        if columns.rows == 0 {
            return Ok(());
        }
        let label: ArrayRef = if self.shape.label_sets {
            Arc::new(columns.labels.finish())
        } else {
            Arc::new(columns.label.finish())
        };
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(columns.id.finish()),
            Arc::new(columns.text.finish()),
            label,
            Arc::new(columns.group.finish()),
        ];
        if self.shape.origins {
            arrays.extend(columns.origin.finish());
        }
        let batch = RecordBatch::try_new(self.shape.schema(), arrays)
            .map_err(|error| Error::writing(Path::new(&self.summary.split), error.into()))?;
        self.shards.write(&batch)
    }
}

/// Lengths go first, so that no two rows share a byte string.
fn hash_record(hasher: &mut blake3::Hasher, record: &Record) {
    let mut string = |text: Option<&str>| {
        hasher.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        hasher.update(text.unwrap_or_default().as_bytes());
    };
    string(Some(&record.id));
    string(Some(&record.text));
    string(record.group.as_deref());
    hasher.update(&record.label.map_or(-1, i64::from).to_le_bytes());
    if let Some(labels) = &record.labels {
        hasher.update(&(labels.len() as u64).to_le_bytes());
        for label in labels {
            hasher.update(&label.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
