//! Rows that were passed over: what they were, where they stand and why, one JSON object a line.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::origin::Origin;
use crate::write::temporary_file;

/// A row that was not as it should be, where [`OnError::Skip`](crate::OnError::Skip) passes over such rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The split it would have gone to.
    pub split: String,
    /// Its file, as [`Origin::file`] names it.
    pub file: PathBuf,
    /// Its line, counted from 1, in a file of lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Its row, counted from 0, in a Parquet file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// What is wrong with it: the error that would have ended the stream.
    pub problem: String,
    /// How it begins: up to 512 bytes, other encodings made readable.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content: String,
}

impl Rejected {
    pub(crate) fn new(split: &str, origin: &Origin, error: &Error, content: String) -> Self {
        Self {
            split: split.to_owned(),
            file: PathBuf::from(&origin.file),
            line: origin.line,
            row: origin.row,
            problem: error.to_string(),
            content,
        }
    }
}

/// Writes `rejected.jsonl`, which appears when it is whole, and only if a row was rejected.
#[derive(Debug)]
pub struct RejectedWriter {
    dir: PathBuf,
    file: Option<NamedTempFile>,
    rows: u64,
}

impl RejectedWriter {
    /// The file's name in its folder.
    pub const FILE: &'static str = "rejected.jsonl";

    /// Writes into a folder, which is made when the first row comes.
    pub fn create(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), file: None, rows: 0 }
    }

    /// Adds a row.
    pub fn write(&mut self, rejected: &Rejected) -> Result<()> {
        let path = self.dir.join(Self::FILE);
        if self.file.is_none() {
            std::fs::create_dir_all(&self.dir).map_err(Error::io("make", &self.dir))?;
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => temporary_file(&self.dir, Self::FILE).map_err(Error::io("write", &path))?,
        };
        let file = self.file.insert(file);
        // Strings and numbers alone: there is nothing in it that JSON could refuse.
        let mut line = serde_json::to_vec(rejected).unwrap_or_default();
        line.push(b'\n');
        file.write_all(&line).map_err(Error::io("write", &path))?;
        self.rows += 1;
        Ok(())
    }

    /// Gives the file its name, or removes the one of an earlier pass where nothing was rejected. Gives the
    /// number of rows.
    pub fn finish(self) -> Result<u64> {
        let path = self.dir.join(Self::FILE);
        match self.file {
            Some(file) => {
                file.as_file().sync_all().map_err(Error::io("write", &path))?;
                file.persist(&path).map_err(|refused| Error::io("write", &path)(refused.error))?;
            }
            None if path.exists() => {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
            None => {}
        }
        Ok(self.rows)
    }
}
