//! Text, a word and its numbers a line; in word2vec's text and fastText's `.vec` below a header. The grammar:
//!
//! ```text
//! file   = [ byte order mark ] [ header ] line { line }
//! header = rows " " dimensions [ " " ] [ "\r" ] "\n"
//! line   = word " " number { " " number } [ " " ] [ "\r" ] "\n"
//! word   = one or more bytes, spaces among them but not first or last
//! number = what `f32::from_str` reads, finite
//! ```
//!
//! The last line may lack its end. Each line has `dimensions` numbers, and there are `rows` lines below a header.

use std::io::{BufRead, Read};

use super::format::Header;
use super::intake::Intake;
use super::parse::Line;
use super::source::Origin;
use crate::error::{LineProblem, Result};

/// Reads all lines; `reader` stands behind the byte order mark.
pub(super) fn read(
    reader: &mut dyn BufRead,
    header: Option<Header>,
    origin: &Origin<'_>,
    intake: &mut Intake<'_>,
) -> Result<()> {
    let dimensions = intake.dimensions();
    // A word and its numbers fit many times over; without a limit a binary file would be read as one line.
    let limit = 4096 + 64 * dimensions as u64;
    let mut bytes = Vec::new();
    let mut row = Vec::with_capacity(dimensions);
    for number in 1_u64.. {
        let bad = |problem| origin.line(number, problem);
        bytes.clear();
        let length = Read::take(&mut *reader, limit)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| bad(LineProblem::of_read(&error)))?;
        if length == 0 {
            break;
        }
        if number == 1 && header.is_some() {
            continue;
        }
        if length as u64 == limit && bytes.last() != Some(&b'\n') {
            return Err(bad(LineProblem::TooLong { limit }));
        }
        let line = Line::split(&bytes, dimensions, number == 1).map_err(bad)?;
        if let Some(word) = intake.admit(line.word) {
            line.numbers(&mut row).map_err(bad)?;
            intake.keep(word, &row)?;
        }
    }
    let rows = intake.rows();
    match header {
        Some(Header { rows: announced, .. }) if rows != announced => {
            let hint = if rows < announced { ": is the file truncated?" } else { "" };
            Err(origin.whole(
                format!("{rows} rows"),
                format!("{announced}, as its first line says{hint}"),
            ))
        }
        _ if rows == 0 => Err(origin.whole("no lines", "a word and its numbers a line")),
        _ => Ok(()),
    }
}
