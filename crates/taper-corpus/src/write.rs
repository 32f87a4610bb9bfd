//! Record batches out to Parquet shards: nothing is visible before all of it is on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::layout::{check_split_name, shard_name, stale_shards};
use crate::schema::key_values;

/// The zstd level: beyond 3 the time grows faster than the gain.
const ZSTD_LEVEL: i32 = 3;

/// Encoded bytes of a row group: what a reader holds, and the unit it can skip.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Rows handed to the encoder at a time. Pages are cut between these, so equal rows give equal
/// bytes however the caller batched them; unless so many are longer than this many bytes, after which what was
/// written is encoded, too.
const ENCODE_ROWS: usize = 1024;
const ENCODE_BYTES: usize = 64 << 20;

/// Writes one split of any schema as `<split>-00000-of-0000N.parquet`, zstd 3.
///
/// Shards are temporary files in the same folder until [`finish`](Self::finish); a writer that is
/// dropped before leaves nothing behind. The same rows, schema and metadata give the same bytes.
pub struct ShardWriter {
    dir: PathBuf,
    split: String,
    schema: SchemaRef,
    properties: WriterProperties,
    max_shard_bytes: u64,
    rows: BatchCoalescer,
    /// Bytes of the rows that wait, or a little more.
    waiting: usize,
    open: Option<ArrowWriter<NamedTempFile>>,
    closed: Vec<NamedTempFile>,
}

impl std::fmt::Debug for ShardWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardWriter")
            .field("dir", &self.dir)
            .field("split", &self.split)
            .field("closed", &self.closed.len())
            .finish_non_exhaustive()
    }
}

impl ShardWriter {
    /// Begins a split in `dir`, which is made if it is not there.
    ///
    /// `metadata` becomes the files' key-value metadata. A shard is closed once it holds
    /// `max_shard_bytes` of encoded data (at least one batch).
    ///
    /// # Errors
    /// A split name with other characters than letters, digits, `_` and `.`; a folder that cannot
    /// be made.
    pub fn create(
        dir: &Path,
        split: &str,
        schema: SchemaRef,
        metadata: &BTreeMap<String, String>,
        max_shard_bytes: u64,
    ) -> Result<Self> {
        check_split_name(split)?;
        fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|error| Error::writing(dir, error))?;
        // Twice: most readers look among the file's keys, but pyarrow (and so `load_dataset`) takes
        // the metadata of the Arrow schema where one is stored. Arrow writes it in order of key.
        let mut described = Arc::unwrap_or_clone(schema);
        described.metadata.extend(metadata.clone());
        let schema = Arc::new(described);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_key_value_metadata(Some(key_values(metadata)))
            .build();
        Ok(Self {
            dir: dir.to_owned(),
            split: split.to_owned(),
            rows: BatchCoalescer::new(schema.clone(), ENCODE_ROWS),
            waiting: 0,
            schema,
            properties,
            max_shard_bytes,
            open: None,
            closed: Vec::new(),
        })
    }

    /// Adds rows `[any number, columns of the schema]`.
    ///
    /// # Errors
    /// Another schema than the writer's; a full disk, named with the shard it hit.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.schema_ref().fields() != self.schema.fields() {
            return Err(Error::Encode {
                path: self.shard_under_way(),
                source: ParquetError::General(format!(
                    "the batch has the columns {}, the writer {}",
                    batch.schema_ref(),
                    self.schema
                )),
            });
        }
        self.push(batch).map_err(|error| Error::writing(&self.shard_under_way(), error.into()))?;
        self.encode()
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        for column in batch.columns() {
            self.waiting += column.to_data().get_slice_memory_size()?;
        }
        self.rows.push_batch(batch.clone())?;
        if self.waiting >= ENCODE_BYTES {
            self.rows.finish_buffered_batch()?;
        }
        Ok(())
    }

    /// Closes the last shard, gives all their names, and removes the shards that an earlier set of
    /// this split left under other names. Gives the paths in order; a split without rows becomes
    /// one file without rows.
    ///
    /// Each shard appears whole, by a rename; a reader of a set of several shards relies on whoever
    /// writes last (a manifest) to know that all of them are of one set.
    pub fn finish(self) -> Result<Vec<PathBuf>> {
        self.close()?.publish()
    }

    /// Everything on the disk, nothing visible yet.
    pub(crate) fn close(mut self) -> Result<ClosedShards> {
        self.rows
            .finish_buffered_batch()
            .map_err(|error| Error::writing(&self.shard_under_way(), error.into()))?;
        self.encode()?;
        if self.closed.is_empty() && self.open.is_none() {
            self.open = Some(self.start_shard()?);
        }
        self.close_shard()?;
        Ok(ClosedShards { dir: self.dir, split: self.split, files: self.closed })
    }

    fn encode(&mut self) -> Result<()> {
        while let Some(batch) = self.rows.next_completed_batch() {
            self.waiting = 0;
            let path = self.shard_under_way();
            let mut writer = match self.open.take() {
                Some(writer) => writer,
                None => self.start_shard()?,
            };
            writer.write(&batch).map_err(|error| Error::writing(&path, error))?;
            let bytes = writer.bytes_written() + writer.in_progress_size();
            self.open = Some(writer);
            if bytes as u64 >= self.max_shard_bytes {
                self.close_shard()?;
            }
        }
        Ok(())
    }

    fn start_shard(&self) -> Result<ArrowWriter<NamedTempFile>> {
        let path = self.shard_under_way();
        let file = temporary_file(&self.dir, &self.split).map_err(Error::io("write", &path))?;
        ArrowWriter::try_new(file, self.schema.clone(), Some(self.properties.clone()))
            .map_err(|error| Error::writing(&path, error))
    }

    fn close_shard(&mut self) -> Result<()> {
        let Some(writer) = self.open.take() else {
            return Ok(());
        };
        let path = self.shard_under_way();
        let file = writer.into_inner().map_err(|error| Error::writing(&path, error))?;
        file.as_file().sync_all().map_err(Error::io("write", &path))?;
        self.closed.push(file);
        Ok(())
    }

    /// What errors call the shard: how many there will be is not known yet.
    fn shard_under_way(&self) -> PathBuf {
        let index = self.closed.len();
        self.dir.join(format!("{}-{index:05}-of-?????.parquet", self.split))
    }
}

/// Shards that are whole and on the disk, under temporary names; dropped, they vanish.
pub(crate) struct ClosedShards {
    dir: PathBuf,
    split: String,
    files: Vec<NamedTempFile>,
}

impl ClosedShards {
    pub(crate) fn publish(self) -> Result<Vec<PathBuf>> {
        let count = self.files.len();
        let mut paths = Vec::with_capacity(count);
        for (index, file) in self.files.into_iter().enumerate() {
            let path = self.dir.join(shard_name(&self.split, index, count));
            file.persist(&path).map_err(|refused| Error::io("write", &path)(refused.error))?;
            paths.push(path);
        }
        for stale in stale_shards(&self.dir, &self.split, &paths)? {
            fs::remove_file(&stale).map_err(Error::io("remove", &stale))?;
        }
        sync_dir(&self.dir)?;
        Ok(paths)
    }
}

pub(crate) fn temporary_file(dir: &Path, split: &str) -> std::io::Result<NamedTempFile> {
    let prefix = format!(".{split}-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    // Data is for everyone the umask lets in, not only for the user who prepared it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir)
}

/// A rename is on the disk once its folder is.
fn sync_dir(dir: &Path) -> Result<()> {
    if cfg!(unix) {
        let folder = File::open(dir).map_err(Error::io("open", dir))?;
        folder.sync_all().map_err(Error::io("sync", dir))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
