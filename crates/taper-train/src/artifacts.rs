//! Typed readers of a prepared folder: what [`prepare`](crate::prepare()) wrote, checked against its manifest.

mod encoded;

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use taper_corpus::Record;
use taper_text::{Coverage, FileReport, Tokenizer};

pub use encoded::EncodedSplit;

use crate::gradients::EMBEDDING;
use crate::lock::Lock;
use crate::manifest::{Manifest, Stage};
use crate::{Error, Result};

/// The tokenizer's file name in a prepared folder and in a model directory.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// The column of lists that stands in the place of `label` where a text may have several.
pub(crate) const LABELS: &str = "labels";

/// The tensor beside the embedding: `[vocabulary]`, 1 where the row is a word's vector.
pub(crate) const HAS_VECTOR: &str = "has_vector";

/// `coverage.json`: what the word vectors know of the training texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VectorsReport {
    /// `vectors.source`, as the recipe has it.
    pub source: String,
    /// Numbers a word.
    pub dimensions: usize,
    /// What the vector file was; `None` without word vectors.
    pub file: Option<FileReport>,
    /// `None` without word vectors: the embedding starts from random numbers.
    pub coverage: Option<Coverage>,
}

/// A prepared folder, open for reading: as long as this lives, no other process changes it.
#[derive(Debug)]
pub struct Prepared {
    folder: PathBuf,
    manifest: Manifest,
    _lock: Option<Lock>,
}

/// The matrix an embedding starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Row-major, `[rows, dimensions]`; row i is token id i.
    pub matrix: Vec<f32>,
    /// Rows of the vocabulary, `<unk>` and `<pad>` included.
    pub rows: usize,
    /// Numbers a row.
    pub dimensions: usize,
}

impl Prepared {
    pub(crate) fn new(folder: &Path, manifest: Manifest, lock: Option<Lock>) -> Self {
        Self { folder: folder.to_owned(), manifest, _lock: lock }
    }

    /// Opens a folder and checks that every file in it is what was written.
    ///
    /// # Errors
    ///
    /// No manifest, one of another version, a file that is missing, cut short or changed, each by name; a folder that
    /// is being prepared at this moment.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::prepared(folder, "no such folder; `taper prepare` makes one"));
        }
        let lock = Lock::shared(folder)?;
        let path = folder.join(Manifest::FILE);
        let manifest = Manifest::read(&path)?.ok_or_else(|| {
            Error::prepared(
                &path,
                "missing: not a prepared folder, or not finished; prepare it (again)",
            )
        })?;
        for stage in Stage::ALL {
            let record = manifest.stages.get(&stage).ok_or_else(|| {
                Error::prepared(&path, format!("the stage `{stage}` is missing; prepare again"))
            })?;
            record.verify(folder)?;
        }
        Ok(Self::new(folder, manifest, lock))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Counts, class names, fingerprints.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The tokenizer with its vocabulary.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Ok(Tokenizer::load(&self.tokenizer_path())?)
    }

    /// The tokenizer's file, to be copied into a model directory.
    pub fn tokenizer_path(&self) -> PathBuf {
        self.folder.join(TOKENIZER)
    }

    /// What the word vectors know of the training texts.
    pub fn vectors_report(&self) -> Result<VectorsReport> {
        let path = self.folder.join("coverage.json");
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::prepared(&path, format!("not a coverage report ({error}); prepare again"))
        })
    }

    /// The word vectors; `None` where the recipe has none.
    ///
    /// # Errors
    ///
    /// A matrix of another shape than the vocabulary's, or with a number that is not finite.
    pub fn embeddings(&self) -> Result<Option<Embeddings>> {
        if self.vectors_report()?.coverage.is_none() {
            return Ok(None);
        }
        let path = self.folder.join("embeddings.safetensors");
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        let broken = |message: String| Error::prepared(&path, format!("{message}; prepare again"));
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|error| broken(format!("not a safetensors file ({error})")))?;
        let tensor =
            tensors.tensor(EMBEDDING).map_err(|_| broken(format!("no tensor `{EMBEDDING}`")))?;
        let wanted = [self.manifest.vocabulary, self.manifest.dimensions];
        if tensor.shape() != wanted || tensor.dtype() != Dtype::F32 {
            return Err(broken(format!(
                "`{EMBEDDING}` is {:?} {:?}; expected F32 {wanted:?}",
                tensor.dtype(),
                tensor.shape()
            )));
        }
        let matrix: Vec<f32> = tensor
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        if let Some(index) = matrix.iter().position(|value| !value.is_finite()) {
            return Err(broken(format!(
                "`{EMBEDDING}` row {} holds {}",
                index / wanted[1],
                matrix[index]
            )));
        }
        let [rows, dimensions] = wanted;
        Ok(Some(Embeddings { matrix, rows, dimensions }))
    }

    /// Of every token id, whether the word has a vector; `None` where the recipe has none.
    ///
    /// # Errors
    ///
    /// A file that holds no such list, or one of another length than the vocabulary.
    pub fn has_vector(&self) -> Result<Option<Vec<bool>>> {
        if self.vectors_report()?.coverage.is_none() {
            return Ok(None);
        }
        let path = self.folder.join("embeddings.safetensors");
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| {
            Error::prepared(&path, format!("not a safetensors file ({error}); prepare again"))
        })?;
        let rows = self.manifest.vocabulary;
        match tensors.tensor(HAS_VECTOR) {
            Ok(flags) if flags.dtype() == Dtype::U8 && flags.shape() == [rows] => {
                Ok(Some(flags.data().iter().map(|flag| *flag != 0).collect()))
            }
            _ => {
                let message = format!("no `{HAS_VECTOR}` of U8 [{rows}]; prepare again");
                Err(Error::prepared(&path, message))
            }
        }
    }

    /// Token ids, lengths and labels of a split, all in memory.
    ///
    /// # Errors
    ///
    /// An unknown split, by name with those there are; a damaged file or an id outside the vocabulary, by file and row.
    pub fn encoded(&self, split: &str) -> Result<EncodedSplit> {
        let numbers = self.manifest.split(&self.folder, split)?;
        encoded::read(
            &self.folder.join("encoded"),
            split,
            numbers,
            self.manifest.vocabulary,
            (self.manifest.class_names.len(), self.manifest.is_multi_label()),
        )
    }

    /// A few records of a split by row number, in the order asked for.
    ///
    /// # Errors
    ///
    /// A row the split does not have.
    pub fn records(&self, split: &str, rows: &[usize]) -> Result<Vec<Record>> {
        let numbers = self.manifest.split(&self.folder, split)?;
        let corpus = self.folder.join("corpus");
        if let Some(row) = rows.iter().find(|row| **row as u64 >= numbers.rows) {
            let message = format!("no row {row} in split `{split}` of {} rows", numbers.rows);
            return Err(Error::prepared(&corpus, message));
        }
        let mut found: Vec<Option<Record>> = vec![None; rows.len()];
        let last = rows.iter().max().copied().unwrap_or_default();
        for (row, record) in taper_corpus::records(&corpus, split)?.enumerate() {
            if row > last {
                break;
            }
            let record = record?;
            for (place, wanted) in found.iter_mut().zip(rows) {
                if *wanted == row {
                    *place = Some(record.clone());
                }
            }
        }
        let missing = || Error::prepared(&corpus, "fewer rows than were written; prepare again");
        found.into_iter().map(|record| record.ok_or_else(missing)).collect()
    }
}
