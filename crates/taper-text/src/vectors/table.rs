//! Words and their vectors, in memory.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// The vectors of some words, all of one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    dimensions: usize,
    rows: HashMap<String, usize>,
    values: Vec<f32>,
}

impl Vectors {
    /// No vectors yet, to be filled with [`Vectors::insert`].
    ///
    /// # Errors
    /// [`Error::Option`] where `dimensions` is 0.
    pub fn new(dimensions: usize) -> Result<Vectors> {
        if dimensions == 0 {
            return Err(Error::Option {
                option: "dimensions",
                found: "0".to_owned(),
                expected: "1 or more",
            });
        }
        Ok(Vectors { dimensions, rows: HashMap::new(), values: Vec::new() })
    }

    /// Adds a word's vector, `[dimensions]`, in place of an earlier one.
    ///
    /// # Errors
    /// [`Error::Option`] where its length is another.
    pub fn insert(&mut self, word: &str, vector: &[f32]) -> Result<()> {
        if vector.len() != self.dimensions {
            let found = format!("{} numbers for `{word}`", vector.len());
            return Err(Error::Option {
                option: "vector",
                found,
                expected: "as many numbers as `dimensions`",
            });
        }
        if let Some(&row) = self.rows.get(word) {
            let start = row * self.dimensions;
            self.values[start..start + self.dimensions].copy_from_slice(vector);
        } else {
            self.rows.insert(word.to_owned(), self.rows.len());
            self.values.extend_from_slice(vector);
        }
        Ok(())
    }

    /// Numbers a word.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Words held.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no word is held.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The vector of a word, `[dimensions]`.
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        let start = self.rows.get(word)? * self.dimensions;
        self.values.get(start..start + self.dimensions)
    }

    /// The words held, in no particular order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }
}
