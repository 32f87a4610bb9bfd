//! A split as the trainer wants it: one flat run of token ids, where each text begins, and the labels.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt16Type, UInt32Type};
use taper_corpus::{batches, shards};

use super::LABELS;
use crate::label_sets::LabelSets;
use crate::manifest::SplitManifest;
use crate::{Error, Result};

const BATCH_ROWS: usize = 4096;

/// The texts of a split as token ids, 4 bytes a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedSplit {
    tokens: Vec<u32>,
    /// Text i is `tokens[offsets[i]..offsets[i + 1]]`; one more than there are texts.
    offsets: Vec<usize>,
    labels: Vec<Option<u32>>,
    /// What the labels are numbers of, where a text may have several.
    label_sets: Option<LabelSets>,
}

impl Default for EncodedSplit {
    fn default() -> Self {
        Self { tokens: Vec::new(), offsets: vec![0], labels: Vec::new(), label_sets: None }
    }
}

impl EncodedSplit {
    /// Number of texts.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Tokens of all texts.
    pub fn total_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// The token ids of text `row`: as many as its length, none for a text without tokens.
    ///
    /// # Panics
    ///
    /// Where there is no such row, as slices do.
    pub fn tokens(&self, row: usize) -> &[u32] {
        &self.tokens[self.offsets[row]..self.offsets[row + 1]]
    }

    /// Number of tokens of text `row`.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    pub fn length(&self, row: usize) -> usize {
        self.offsets[row + 1] - self.offsets[row]
    }

    /// Every text's number of tokens, in order.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.offsets.windows(2).map(|ends| ends[1] - ends[0])
    }

    /// Every text's class, in order; `None` where it is unlabelled. Where a text may have several labels, the number of
    /// its set among [`Self::label_sets`].
    pub fn labels(&self) -> &[Option<u32>] {
        &self.labels
    }

    /// The sets of labels there are, if a text may have several.
    pub fn label_sets(&self) -> Option<&LabelSets> {
        self.label_sets.as_ref()
    }

    /// Adds a text, for splits made in memory.
    pub fn push(&mut self, tokens: &[u32], label: Option<u32>) {
        self.tokens.extend_from_slice(tokens);
        self.offsets.push(self.tokens.len());
        self.labels.push(label);
    }

    /// Adds a text of any number of labels, in ascending order, to a split of such texts alone.
    pub fn push_labels(&mut self, tokens: &[u32], labels: &[u32]) {
        let number = self.label_sets.get_or_insert_default().number(labels);
        self.push(tokens, Some(number));
    }
}

/// Reads and checks `<folder>/<split>-*.parquet`.
pub(super) fn read(
    folder: &Path,
    split: &str,
    numbers: &SplitManifest,
    vocabulary: usize,
    (classes, multi_label): (usize, bool),
) -> Result<EncodedSplit> {
    let label_sets = multi_label.then(LabelSets::default);
    let mut encoded = EncodedSplit { label_sets, ..EncodedSplit::default() };
    encoded.tokens.reserve_exact(numbers.tokens as usize);
    encoded.offsets.reserve_exact(numbers.rows as usize);
    encoded.labels.reserve_exact(numbers.rows as usize);
    for file in shards(folder, split)? {
        let columns = ["tokens", "length", if multi_label { LABELS } else { "label" }];
        let mut first = 0;
        for batch in batches(std::slice::from_ref(&file), &columns, BATCH_ROWS)? {
            let batch = batch?;
            let reader = Reader { file: &file, first, vocabulary, classes };
            reader.read(&batch, &mut encoded)?;
            first += batch.num_rows();
        }
    }
    if encoded.len() as u64 != numbers.rows {
        let message = format!(
            "split `{split}` has {} rows where {} were written; prepare again",
            encoded.len(),
            numbers.rows
        );
        return Err(Error::prepared(folder, message));
    }
    Ok(encoded)
}

struct Reader<'a> {
    file: &'a PathBuf,
    /// Row number of the batch's first row within the file.
    first: usize,
    vocabulary: usize,
    classes: usize,
}

impl Reader<'_> {
    fn read(&self, batch: &RecordBatch, encoded: &mut EncodedSplit) -> Result<()> {
        let shape = || {
            Error::prepared(
                self.file,
                "columns of another type than tokens (list of u16 or u32), length (u32), label (u32, or a list of it); \
                 prepare again",
            )
        };
        let lists = batch.column(0).as_list_opt::<i32>().ok_or_else(shape)?;
        let lengths = batch.column(1).as_primitive_opt::<UInt32Type>().ok_or_else(shape)?;
        let labels = batch.column(2);
        let one = labels.as_primitive_opt::<UInt32Type>();
        let several = labels.as_list_opt::<i32>();
        if one.is_none() && (several.is_none() || encoded.label_sets.is_none()) {
            return Err(shape());
        }
        for row in 0..batch.num_rows() {
            if lists.is_null(row) {
                return Err(self.row_error(row, "no tokens"));
            }
            let values = lists.value(row);
            match values.data_type() {
                DataType::UInt16 => {
                    let ids = values.as_primitive::<UInt16Type>().values();
                    encoded.tokens.extend(ids.iter().map(|id| u32::from(*id)));
                }
                DataType::UInt32 => {
                    let ids = values.as_primitive::<UInt32Type>().values();
                    encoded.tokens.extend_from_slice(ids);
                }
                _ => return Err(shape()),
            }
            let length = values.len();
            if lengths.value(row) as usize != length {
                let message = format!("{length} tokens where `length` says {}", lengths.value(row));
                return Err(self.row_error(row, &message));
            }
            let start = encoded.tokens.len() - length;
            if let Some(id) =
                encoded.tokens[start..].iter().find(|id| **id as usize >= self.vocabulary)
            {
                let message = format!("token id {id} in a vocabulary of {} words", self.vocabulary);
                return Err(self.row_error(row, &message));
            }
            let present = labels.is_valid(row);
            let set: Vec<u32> = match (one, several) {
                _ if !present => Vec::new(),
                (Some(labels), _) => vec![labels.value(row)],
                (None, Some(lists)) => {
                    let list = lists.value(row);
                    list.as_primitive_opt::<UInt32Type>().ok_or_else(shape)?.values().to_vec()
                }
                (None, None) => return Err(shape()),
            };
            if let Some(label) = set.iter().find(|label| **label as usize >= self.classes) {
                let message = format!("label {label} where there are {} classes", self.classes);
                return Err(self.row_error(row, &message));
            }
            let label = match &mut encoded.label_sets {
                Some(sets) => present.then(|| sets.number(&set)),
                None => set.first().copied(),
            };
            encoded.offsets.push(encoded.tokens.len());
            encoded.labels.push(label);
        }
        Ok(())
    }

    fn row_error(&self, row: usize, message: &str) -> Error {
        let row = self.first + row;
        Error::prepared(self.file, format!("row {row}: {message}; prepare again"))
    }
}
