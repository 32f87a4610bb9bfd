//! What every reader does with a word before it parses a number: count the row, and ask whether it is wanted.

use super::format::{FileReport, VectorFormat};
use super::table::Vectors;
use crate::error::Result;

/// The rows kept so far, and what was met on the way.
pub(super) struct Intake<'a> {
    wanted: &'a dyn Fn(&str) -> bool,
    vectors: Vectors,
    rows: u64,
    duplicates: u64,
    not_utf8: u64,
}

impl<'a> Intake<'a> {
    pub(super) fn new(dimensions: usize, wanted: &'a dyn Fn(&str) -> bool) -> Result<Intake<'a>> {
        let vectors = Vectors::new(dimensions)?;
        Ok(Intake { wanted, vectors, rows: 0, duplicates: 0, not_utf8: 0 })
    }

    pub(super) fn dimensions(&self) -> usize {
        self.vectors.dimensions()
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts a row; gives its word where the numbers behind it are to be parsed and kept.
    pub(super) fn admit<'w>(&mut self, word: &'w [u8]) -> Option<&'w str> {
        self.rows += 1;
        let Ok(word) = std::str::from_utf8(word) else {
            self.not_utf8 += 1;
            return None;
        };
        if !(self.wanted)(word) {
            return None;
        }
        if self.vectors.get(word).is_some() {
            self.duplicates += 1;
            return None;
        }
        Some(word)
    }

    /// Keeps the vector of an admitted word.
    pub(super) fn keep(&mut self, word: &str, vector: &[f32]) -> Result<()> {
        self.vectors.insert(word, vector)
    }

    pub(super) fn finish(self, format: VectorFormat) -> (Vectors, FileReport) {
        let Intake { rows, duplicates, not_utf8, .. } = self;
        (self.vectors, FileReport { format, rows, duplicates, not_utf8 })
    }
}
