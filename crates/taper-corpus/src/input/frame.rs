//! Rows of a text file, one at a time and never longer than a limit: lines, or, where fields may be
//! quoted, lines whose quotes are closed.
//!
//! ```text
//! row       = (field (delimiter field)*)? end
//! field     = plain | quoted
//! plain     = any bytes but delimiter and LF; not beginning with a quote
//! quoted    = quote (any byte but quote | quote quote)* quote
//! end       = LF | CR LF | the end of the file
//! ```
//! Bytes after a closing quote belong to no field: such a row is malformed, and it is how a forgotten
//! quote further up comes to light before it has swallowed the file.

use std::io::BufRead;

use memchr::{memchr, memchr_iter, memchr2};

use super::Input;
use crate::error::{Error, Place, Result};
use crate::settings::Limits;

/// Bytes of a row that is too long which are still shown.
const SHOWN: usize = 256;

/// What is wrong with a row's frame. The rows after it are not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Longer than the limit; only its beginning is kept.
    TooLong,
    /// Something follows a closing quote within a field.
    MisplacedQuote,
}

/// One row: its bytes without the line's end.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// The line it begins on, counted from 1.
    pub(crate) line: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) problem: Option<Problem>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote within a quoted field: its end, or the first of two.
    Closing,
}

/// Cuts a file into rows.
pub(crate) struct Frames {
    input: Input,
    /// Quote and delimiter, where fields may be quoted.
    quoting: Option<(u8, u8)>,
    most: usize,
    /// The line the next row begins on.
    line: u64,
    row: Vec<u8>,
    state: State,
    problem: Option<Problem>,
    /// Whether blank lines are rows.
    blank_lines: bool,
    /// Whether a first line that names the separator is a row.
    separator_line: bool,
}

/// The delimiter that a table's first line names for Excel, if it is such a line: `sep=;`. A tab, or punctuation other than a
/// quote.
pub(crate) fn named_separator(line: &[u8]) -> Option<u8> {
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator]
            if *separator == b'\t' || separator.is_ascii_punctuation() =>
        {
            Some(*separator).filter(|separator| !matches!(separator, b'"' | b'\''))
        }
        _ => None,
    }
}

impl Frames {
    pub(crate) fn new(input: Input, quoting: Option<(u8, u8)>, limits: &Limits) -> Self {
        Self {
            input,
            quoting,
            most: limits.row_bytes,
            line: 1,
            row: Vec::new(),
            state: State::FieldStart,
            problem: None,
            blank_lines: false,
            separator_line: true,
        }
    }

    /// Gives empty rows too.
    pub(crate) fn with_blank_lines(self) -> Self {
        Self { blank_lines: true, ..self }
    }

    /// Passes over a first line that names the separator.
    pub(crate) fn without_separator_line(self) -> Self {
        Self { separator_line: false, ..self }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.input.path()
    }

    /// The next row; empty ones are passed over, unless they are asked for.
    ///
    /// # Errors
    /// A quote that never closes, or not within the limit; what the disk or the decompressor refuses.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>> {
        loop {
            let line = self.line;
            if !self.read(line)? {
                return Ok(None);
            }
            if self.row.last() == Some(&b'\r') {
                self.row.pop();
            }
            if !self.separator_line && line == 1 && named_separator(&self.row).is_some() {
                continue;
            }
            if self.blank_lines || !self.row.is_empty() || self.problem.is_some() {
                return Ok(Some(Frame { line, bytes: &self.row, problem: self.problem }));
            }
        }
    }

    /// Reads up to the end of a row; false at the end of the file.
    fn read(&mut self, start: u64) -> Result<bool> {
        self.row.clear();
        (self.state, self.problem) = (State::FieldStart, None);
        let mut any = false;
        loop {
            let chunk = match self.input.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) => return Err(self.input.fault(error, start)),
            };
            if chunk.is_empty() {
                if self.state == State::Quoted {
                    return Err(self.unclosed(start, "and the file ends before it closes"));
                }
                return Ok(any);
            }
            any = true;
            let (state, problem, used, ended) = scan(chunk, self.state, self.quoting);
            self.state = state;
            self.problem = self.problem.or(problem);
            self.line += memchr_iter(b'\n', &chunk[..used]).count() as u64;
            let content = &chunk[..used - usize::from(ended)];
            if self.problem != Some(Problem::TooLong) {
                if self.row.len() + content.len() > self.most {
                    self.problem = Some(Problem::TooLong);
                }
                let shown =
                    if self.problem == Some(Problem::TooLong) { SHOWN } else { content.len() };
                self.row.extend_from_slice(&content[..content.len().min(shown)]);
            }
            self.input.reader.consume(used);
            if self.problem == Some(Problem::TooLong) && self.state == State::Quoted {
                let most = self.most;
                return Err(
                    self.unclosed(start, &format!("and does not close within {most} bytes"))
                );
            }
            if ended {
                return Ok(true);
            }
        }
    }

    fn unclosed(&self, line: u64, end: &str) -> Error {
        Error::Malformed {
            place: Place::file(self.path()).at_line(line),
            problem: format!(
                "a quote opens in this row {end}; close it, or say that nothing is quoted"
            ),
        }
    }
}

/// Follows a row through a chunk: the state after it, how many bytes belong to the row (its LF
/// included), and whether it ends there.
fn scan(
    chunk: &[u8],
    mut state: State,
    quoting: Option<(u8, u8)>,
) -> (State, Option<Problem>, usize, bool) {
    let Some((quote, delimiter)) = quoting else {
        let end = memchr(b'\n', chunk);
        return (State::Plain, None, end.map_or(chunk.len(), |at| at + 1), end.is_some());
    };
    let (mut at, mut problem) = (0, None);
    while let Some(&byte) = chunk.get(at) {
        match state {
            State::Quoted => {
                let Some(found) = memchr(quote, &chunk[at..]) else {
                    return (state, problem, chunk.len(), false);
                };
                (at, state) = (at + found, State::Closing);
            }
            State::Closing if byte == quote => state = State::Quoted,
            State::Plain => {
                let Some(found) = memchr2(delimiter, b'\n', &chunk[at..]) else {
                    return (state, problem, chunk.len(), false);
                };
                at += found;
                if chunk[at] == b'\n' {
                    return (State::Plain, problem, at + 1, true);
                }
                state = State::FieldStart;
            }
            _ if byte == b'\n' => return (State::Plain, problem, at + 1, true),
            _ if byte == delimiter => state = State::FieldStart,
            State::FieldStart if byte == quote => state = State::Quoted,
            State::FieldStart => state = State::Plain,
            State::Closing => {
                if byte != b'\r' {
                    problem = Some(Problem::MisplacedQuote);
                }
                state = State::Plain;
            }
        }
        at += 1;
    }
    (state, problem, chunk.len(), false)
}

#[cfg(test)]
mod tests {
    use super::named_separator;

    #[test]
    fn a_line_names_what_can_part_fields() {
        let named = |line: &str| named_separator(line.as_bytes()).map(char::from);
        assert_eq!(["sep=;", "SEP=\t", "sep=|"].map(named), [Some(';'), Some('\t'), Some('|')]);
        assert_eq!(["sep=x", "sep=5", "sep=\"", "sep='", "sep=", "sep=;;"].map(named), [None; 6]);
    }
}
