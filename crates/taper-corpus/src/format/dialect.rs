//! How a table of lines is written, from a look at its beginning.
//!
//! Each delimiter (`,` tab `;` `|`) is tried with the quote `"`; with `'` first, where that stands around
//! fields and no `"` does; between tabs also without a quote, unless most fields that begin with one end
//! with one. A dialect fits as far as the rows have as many fields as the first one (at least two) and no
//! quote is misplaced or left open; the best fit wins, and of equal fits the earlier in these lists. A first line such as
//! `sep=;` says which delimiter it is.
//!
//! A first row is a header where none of its fields is a number, none but the first of several is empty (as
//! pandas' `to_csv` leaves it), and one is a column that was
//! asked for by name, has a name that such columns usually have (`id` and `group` too), stands over numbers alone, or
//! never comes again in a column of few different values (five rows or more to each).

use std::collections::BTreeSet;

use super::csv::Fields;
use super::pick::{is_usual, names_rows};
use crate::input::{Frames, Input, named_separator};
use crate::settings::{ColumnSettings, DialectSettings, Limits};

/// How a table of lines is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    pub(crate) header: bool,
}

/// A look at the first rows in some dialect.
pub(super) struct Look {
    pub(super) dialect: Dialect,
    /// The fields of each row, up to [`ROWS`] of them.
    pub(super) rows: Vec<Vec<String>>,
    /// Rows that fit, and all that were looked at.
    fit: usize,
    of: usize,
}

const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Rows that are looked at.
const ROWS: usize = 200;

/// The dialect that fits best; `None` where no delimiter gives two columns and none was told.
pub(super) fn sniff(
    sample: &[u8],
    complete: bool,
    told: &DialectSettings,
    columns: &ColumnSettings,
    tabs_first: bool,
) -> Option<Look> {
    let line = sample.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let named = named_separator(line.strip_suffix(b"\r").unwrap_or(line));
    let known = told.delimiter.map(|known| known as u8).or(named);
    let delimiters = known.map_or(DELIMITERS.to_vec(), |known| vec![known]);
    let quotes = told.quote.map_or_else(
        || vec![Some(b'\''), Some(b'"'), None],
        |known| vec![known.map(|quote| quote as u8)],
    );
    let mut best: Option<Look> = None;
    for &quote in &quotes {
        let mut delimiters = delimiters.clone();
        if tabs_first {
            delimiters.sort_by_key(|&delimiter| delimiter != b'\t');
        }
        if quote.is_none() && told.quote.is_none() {
            delimiters.retain(|&delimiter| delimiter == b'\t');
        }
        if quote == Some(b'\'') && told.quote.is_none() {
            delimiters.retain(|&delimiter| single_quoted(sample, delimiter));
        }
        for delimiter in delimiters.into_iter().filter(|&delimiter| Some(delimiter) != quote) {
            let look = look(sample, complete, Dialect { delimiter, quote, header: false });
            let wide = look.rows.first().is_some_and(|row| row.len() > 1);
            if !wide && known.is_none()
                || quote.is_none() && told.quote.is_none() && quoted(&look.rows)
            {
                continue;
            }
            // By shares: a dialect that takes several lines for a row has fewer of them.
            let better = |best: &Look| look.fit * best.of > best.fit * look.of;
            if best.as_ref().is_none_or(better) {
                best = Some(look);
            }
        }
    }
    let mut look = best?;
    look.dialect.header = told.header.unwrap_or_else(|| is_header(&look.rows, columns));
    Some(look)
}

/// Whether `'` stands around fields: no `"` anywhere, as many `'` before delimiters and line ends as
/// behind them, and that on half of the lines.
fn single_quoted(sample: &[u8], delimiter: u8) -> bool {
    let outside =
        |byte: Option<&u8>| byte.is_none_or(|&b| b == delimiter || b == b'\n' || b == b'\r');
    let (mut opening, mut closing) = (0, 0);
    for at in memchr::memchr_iter(b'\'', sample) {
        let before = at.checked_sub(1).and_then(|before| sample.get(before));
        opening += usize::from(outside(before));
        closing += usize::from(outside(sample.get(at + 1)));
    }
    let lines = memchr::memchr_iter(b'\n', sample).count();
    !sample.contains(&b'"') && opening > 0 && opening == closing && 2 * opening >= lines
}

/// Whether most fields that begin with a `"` end with one.
fn quoted(rows: &[Vec<String>]) -> bool {
    let begun: Vec<&String> =
        rows.iter().flatten().filter(|field| field.starts_with('"')).collect();
    let ended = begun.iter().filter(|field| field.len() > 1 && field.ends_with('"')).count();
    ended > 0 && 2 * ended >= begun.len()
}

/// A table of a single column, for which there is no delimiter to find.
pub(super) fn single(
    sample: &[u8],
    complete: bool,
    told: &DialectSettings,
    columns: &ColumnSettings,
) -> Look {
    let quote = told.quote.map_or(Some(b'"'), |known| known.map(|quote| quote as u8));
    let mut look = look(sample, complete, Dialect { delimiter: b',', quote, header: false });
    look.dialect.header = told.header.unwrap_or_else(|| is_header(&look.rows, columns));
    look
}

fn look(sample: &[u8], complete: bool, dialect: Dialect) -> Look {
    let quoting = dialect.quote.map(|quote| (quote, dialect.delimiter));
    let frames = Frames::new(Input::of(sample), quoting, &Limits::default());
    let mut frames = frames.without_separator_line();
    let mut fields = Fields::new(dialect);
    let mut look = Look { dialect, rows: Vec::new(), fit: 0, of: 0 };
    while look.rows.len() < ROWS {
        let frame = match frames.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            // The sample may end within a quoted field; the file should not.
            Err(_) => {
                look.of += usize::from(complete);
                break;
            }
        };
        let width = fields.split(frame.bytes);
        let as_the_first = look.rows.first().is_none_or(|first| first.len() == width);
        look.fit += usize::from(as_the_first && frame.problem.is_none());
        look.of += 1;
        look.rows.push(fields.names());
    }
    look
}

fn is_header(rows: &[Vec<String>], columns: &ColumnSettings) -> bool {
    let Some(first) = rows.first() else {
        return false;
    };
    let told = columns.text.iter().chain(&columns.label).chain(&columns.group).chain(&columns.id);
    let told: Vec<&String> = told.filter(|name| name.parse::<usize>().is_err()).collect();
    let known = |cell: &String| {
        let cell = cell.trim();
        told.iter().any(|name| name.trim() == cell) || is_usual(cell) || names_rows(cell)
    };
    let name = |cell: &String| !cell.trim().is_empty() && !is_number(cell);
    let start = usize::from(has_index(first));
    let over_numbers = |at: usize| {
        let mut rest = rows[1..].iter().filter_map(|row| row.get(at)).peekable();
        rest.peek().is_some() && rest.all(|cell| is_number(cell))
    };
    let unlike_its_column = |at: usize| {
        let rest = || rows[1..].iter().filter_map(|row| row.get(at));
        let values: BTreeSet<&String> = rest().collect();
        !values.is_empty() && 5 * values.len() <= rest().count() && !values.contains(&first[at])
    };
    let stands_out = |at: usize| over_numbers(at) || unlike_its_column(at);
    let named = first.iter().any(known) || (start..first.len()).any(stands_out);
    named && first[start..].iter().all(name)
}

/// Whether a first row in which no sign of a header was found looks like one all the same: different names, each over
/// anything, and one of them over texts.
pub(super) fn may_be_header(rows: &[Vec<String>]) -> bool {
    let Some((first, rest)) = rows.split_first() else {
        return false;
    };
    let over_texts = |at: usize| {
        let cells = rest.iter().filter_map(|row| row.get(at));
        let texts = cells.filter(|cell| !is_number(cell) && !is_name(cell)).count();
        2 * texts > rest.len()
    };
    let different: BTreeSet<&str> = first.iter().map(|cell| cell.trim()).collect();
    different.len() == first.len()
        && first[usize::from(has_index(first))..].iter().all(|cell| is_name(cell))
        && (0..first.len()).any(over_texts)
}

/// The index that pandas' `to_csv` writes has no name.
fn has_index(first: &[String]) -> bool {
    first.len() > 1 && first[0].trim().is_empty()
}

fn is_number(cell: &str) -> bool {
    cell.trim().parse::<f64>().is_ok()
}

/// What could be a column's name: up to three words, without the punctuation of a sentence.
fn is_name(cell: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_-/()".contains(c);
    let words = cell.split_whitespace().count();
    (1..=3).contains(&words) && !is_number(cell) && cell.chars().all(inside)
}
