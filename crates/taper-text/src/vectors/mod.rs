//! Word vectors in GloVe's text format: what is kept of a file, and the loop that reads it.

mod parse;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use crate::error::{Error, LineProblem, Result};
use parse::Line;
use source::Origin;

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

/// Reads the vectors of the wanted words from a file in GloVe's text format.
///
/// The file is text, or text in a zip, gzip or Zstandard file; its first bytes say which, not its name. In a zip,
/// `member` names the entry; without it, it is the only `.txt`, or else the one that ends in `.{dimensions}d.txt`.
///
/// A line is a word, a space, and `dimensions` numbers between single spaces. A word may contain spaces: a line is
/// split from the right. Of every line the width and the word are checked; the numbers of wanted words are parsed.
///
/// # Errors
/// [`Error::VectorLine`] names the first bad line: too few or too many numbers, a number that is none or not finite, a
/// wanted word seen before, a word that is not UTF-8, a word2vec header, data that break off.
/// [`Error::VectorFile`] for a file that is something else altogether: an error page, a git-lfs pointer, an empty file.
pub fn read_vectors(
    path: &Path,
    member: Option<&str>,
    dimensions: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vectors> {
    let mut vectors = Vectors::new(dimensions)?;
    source::read(path, member, dimensions, &mut |stream, origin| {
        read_lines(stream, origin, wanted, &mut vectors)
    })?;
    Ok(vectors)
}

/// Bytes read at a time: large enough that the decoder, not the calls, takes the time.
const BUFFER: usize = 1 << 20;

fn read_lines(
    stream: &mut dyn Read,
    origin: &Origin<'_>,
    wanted: &dyn Fn(&str) -> bool,
    vectors: &mut Vectors,
) -> Result<()> {
    let dimensions = vectors.dimensions;
    // A word and its numbers fit many times over; without a limit a binary file would be read as one line.
    let limit = 4096 + 64 * dimensions as u64;
    let mut reader = BufReader::with_capacity(BUFFER, stream);
    let mut bytes = Vec::new();
    let mut row = Vec::with_capacity(dimensions);
    let mut first_lines = HashMap::new();
    for line in 1_u64.. {
        let bad = |problem| origin.line(line, problem);
        bytes.clear();
        let length = (&mut reader)
            .take(limit)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| bad(LineProblem::Unreadable(error.to_string())))?;
        if length == 0 {
            if line == 1 {
                return Err(origin.whole("no lines", "a word and its numbers a line"));
            }
            break;
        }
        if length as u64 == limit && bytes.last() != Some(&b'\n') {
            return Err(bad(LineProblem::TooLong { limit }));
        }
        let parsed = Line::split(&bytes, dimensions, line == 1).map_err(bad)?;
        if !wanted(parsed.word) {
            continue;
        }
        if let Some(first) = first_lines.insert(parsed.word.to_owned(), line) {
            return Err(bad(LineProblem::Duplicate { word: parsed.word.to_owned(), first }));
        }
        parsed.numbers(&mut row).map_err(bad)?;
        vectors.insert(parsed.word, &row)?;
    }
    Ok(())
}

impl Origin<'_> {
    fn line(&self, line: u64, problem: LineProblem) -> Error {
        Error::VectorLine {
            path: self.path.to_owned(),
            member: self.member.map(str::to_owned),
            line,
            problem,
        }
    }

    fn whole(&self, found: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::VectorFile {
            path: self.path.to_owned(),
            member: self.member.map(str::to_owned),
            found: found.into(),
            expected: expected.into(),
        }
    }
}
