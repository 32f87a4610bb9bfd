//! word2vec's binary format. The grammar:
//!
//! ```text
//! file   = header { row } { "\n" }
//! header = rows " " dimensions "\n"
//! row    = { "\n" } word " " number { number }
//! word   = one or more bytes other than " ", the first one no "\n"
//! number = four bytes, a little-endian IEEE 754 single, finite
//! ```
//!
//! The original tool writes a line feed behind each row, others do not. Each row has `dimensions` numbers, and
//! there are `rows` of them.

use std::io::{BufRead, ErrorKind, Read};

use super::format::Header;
use super::intake::Intake;
use super::source::Origin;
use crate::error::{LineProblem, Result};

/// The longest word, in bytes.
const LONGEST: u64 = 4096;

/// Reads all rows; `reader` stands behind the header.
pub(super) fn read(
    reader: &mut dyn BufRead,
    header: Header,
    origin: &Origin<'_>,
    intake: &mut Intake<'_>,
) -> Result<()> {
    let (announced, dimensions) = (header.rows, intake.dimensions());
    let mut word = Vec::new();
    let mut bytes = vec![0; 4 * dimensions];
    let mut vector = vec![0.0; dimensions];
    for row in 1..=announced {
        let bad = |problem| origin.row(row, problem);
        let unreadable = |error: std::io::Error| {
            bad(match error.kind() {
                ErrorKind::UnexpectedEof => LineProblem::BreaksOff { announced },
                _ => LineProblem::of_read(&error),
            })
        };
        word.clear();
        skip_line_feeds(reader).map_err(unreadable)?;
        let length =
            Read::take(&mut *reader, LONGEST).read_until(b' ', &mut word).map_err(unreadable)?;
        if word.pop() != Some(b' ') {
            return Err(bad(if length as u64 == LONGEST {
                LineProblem::LongWord { limit: LONGEST }
            } else {
                LineProblem::BreaksOff { announced }
            }));
        }
        if word.is_empty() {
            return Err(bad(LineProblem::Spaced { found: String::new() }));
        }
        reader.read_exact(&mut bytes).map_err(unreadable)?;
        if let Some(word) = intake.admit(&word) {
            decode(&bytes, &mut vector, f32::from_le_bytes).map_err(bad)?;
            intake.keep(word, &vector)?;
        }
    }
    let behind = announced.saturating_add(1);
    skip_line_feeds(reader)
        .and_then(|()| Ok(reader.fill_buf()?.is_empty()))
        .map_err(|error| origin.row(behind, LineProblem::of_read(&error)))?
        .then_some(())
        .ok_or_else(|| origin.row(behind, LineProblem::GoesOn { announced }))
}

fn skip_line_feeds(reader: &mut dyn BufRead) -> std::io::Result<()> {
    while reader.fill_buf()?.first() == Some(&b'\n') {
        reader.consume(1);
    }
    Ok(())
}

/// Numbers of `N` bytes each into `vector`, `[dimensions]`.
pub(super) fn decode<const N: usize>(
    bytes: &[u8],
    vector: &mut [f32],
    number: fn([u8; N]) -> f32,
) -> std::result::Result<(), LineProblem> {
    let (numbers, _) = bytes.as_chunks::<N>();
    for (place, (bytes, value)) in numbers.iter().zip(vector).enumerate() {
        *value = number(*bytes);
        if !value.is_finite() {
            return Err(LineProblem::NotANumber { field: place + 1, found: value.to_string() });
        }
    }
    Ok(())
}
