//! One line of a text file of vectors: split from the right, its numbers parsed only when asked for.

use crate::error::LineProblem;

/// A line of the right width, its numbers not parsed yet.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'b> {
    pub(super) word: &'b [u8],
    numbers: &'b [u8],
}

impl<'b> Line<'b> {
    /// Splits a line, with or without its line feed, from the right.
    pub(super) fn split(
        bytes: &'b [u8],
        dimensions: usize,
        first_line: bool,
    ) -> Result<Line<'b>, LineProblem> {
        // fastText ends each line with a space, Windows with a carriage return.
        let mut line = bytes;
        for end in *b"\n\r " {
            line = line.strip_suffix(&[end]).unwrap_or(line);
        }
        if line.is_empty() {
            return Err(LineProblem::Blank { expected: dimensions });
        }
        let spaces = memchr::memchr_iter(b' ', line).count();
        if spaces < dimensions {
            return Err(LineProblem::Width { found: spaces, expected: dimensions, first_line });
        }
        let word_end = if spaces == dimensions {
            memchr::memchr(b' ', line)
        } else {
            memchr::memrchr_iter(b' ', line).nth(dimensions - 1)
        };
        let (word, numbers) = line.split_at(word_end.unwrap_or(0));
        if spaces > dimensions && memchr::memmem::find(numbers, b"  ").is_some() {
            return Err(LineProblem::Gap);
        }
        // A word may have spaces in it, but a word followed by numbers is a line that is too long.
        if spaces > dimensions
            && word.split(|byte| *byte == b' ').skip(1).all(|field| number(field).is_some())
        {
            return Err(LineProblem::Width { found: spaces, expected: dimensions, first_line });
        }
        if word.is_empty() || word.starts_with(b" ") || word.ends_with(b" ") {
            let found = String::from_utf8_lossy(word).into_owned();
            return Err(LineProblem::Spaced { found });
        }
        Ok(Line { word, numbers: numbers.get(1..).unwrap_or_default() })
    }

    /// Parses the numbers into `row`, `[dimensions]`.
    pub(super) fn numbers(&self, row: &mut Vec<f32>) -> Result<(), LineProblem> {
        row.clear();
        for (place, field) in (1..).zip(self.numbers.split(|byte| *byte == b' ')) {
            let value = number(field).filter(|value| value.is_finite()).ok_or_else(|| {
                LineProblem::NotANumber {
                    field: place,
                    found: String::from_utf8_lossy(field).into_owned(),
                }
            })?;
            row.push(value);
        }
        Ok(())
    }
}

fn number(field: &[u8]) -> Option<f32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}
