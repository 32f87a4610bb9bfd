//! Tables of lines: CSV, TSV and their kin, in any dialect.
//!
//! ```text
//! file      = header? row*                    RFC 4180, with any delimiter and quote
//! header    = row                             the columns' names
//! row       = field (delimiter field)* end    as many fields as the first row has; see `input::frame`
//! field     = plain | quote (any | quote quote)* quote
//! ```
//! Blank lines are passed over, and so is a first line that says `sep=;`, as Excel writes it. Blanks around fields are part
//! of them. A backslash means itself.

use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::dialect::Dialect;
use super::pick::{Picks, is_usual, pick};
use super::{DataFile, Raw, Row, Rows, bad, framing, several};
use crate::error::{Error, Place, Position, Result};
use crate::input::{Frames, Input};
use crate::settings::Limits;

/// Splits one framed row into fields.
pub(super) struct Fields {
    core: Reader,
    row: Vec<u8>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Fields {
    pub(super) fn new(dialect: Dialect) -> Self {
        let mut builder = ReaderBuilder::new();
        // The frame has found the row's end; a lone CR within it is no other one.
        builder.delimiter(dialect.delimiter).terminator(Terminator::Any(b'\n'));
        match dialect.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        let (row, bytes) = (Vec::new(), Vec::new());
        Self { core: builder.build(), row, bytes, ends: vec![0; 16], count: 0 }
    }

    /// Gives the number of fields.
    pub(super) fn split(&mut self, row: &[u8]) -> usize {
        self.row.clear();
        self.row.extend_from_slice(row);
        self.row.push(b'\n');
        if self.bytes.len() < self.row.len() {
            self.bytes.resize(self.row.len(), 0);
        }
        loop {
            self.core.reset();
            let (result, .., count) =
                self.core.read_record(&self.row, &mut self.bytes, &mut self.ends);
            self.count = count;
            if result != ReadRecordResult::OutputEndsFull {
                return count;
            }
            let room = self.ends.len();
            self.ends.resize(2 * room, 0);
        }
    }

    /// A field's bytes without quotes; nothing where the row is shorter.
    pub(super) fn get(&self, at: usize) -> &[u8] {
        if at >= self.count {
            return &[];
        }
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// All of them as names, for a header.
    pub(super) fn names(&self) -> Vec<String> {
        (0..self.count).map(|at| String::from_utf8_lossy(self.get(at)).into_owned()).collect()
    }
}

/// What columns without a header are called: their numbers.
pub(super) fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|number| number.to_string()).collect()
}

/// The rows of a table.
pub(super) struct CsvRows {
    frames: Frames,
    fields: Fields,
    picks: Picks,
    separator: Option<String>,
    width: usize,
    /// The first row, where it is no header.
    first: Option<Row>,
}

impl CsvRows {
    pub(super) fn new(
        input: Input,
        file: &DataFile,
        dialect: Dialect,
        limits: &Limits,
    ) -> Result<Self> {
        let quoting = dialect.quote.map(|quote| (quote, dialect.delimiter));
        let mut frames = Frames::new(input, quoting, limits).without_separator_line();
        let mut fields = Fields::new(dialect);
        let Some(frame) = frames.next()? else {
            return Err(Error::NoRows { place: Place::file(&file.path), split: None });
        };
        if let Some(problem) = frame.problem {
            return Err(framing(problem, Place::file(&file.path).at_line(frame.line)));
        }
        let width = fields.split(frame.bytes);
        let names = if dialect.header { fields.names() } else { numbers(width) };
        if dialect.header && !file.header_told && !is_header_like(&names, file) {
            return Err(Error::Malformed {
                place: Place::file(&file.path).at_line(frame.line),
                problem: format!(
                    "the first row, with `{}` between fields, names none of the columns {}, as another file's does; is it a \
                     header? If so, say that there is one. Or are the fields of the two files parted by different characters?",
                    char::from(dialect.delimiter),
                    file.names.join(", ")
                ),
            });
        }
        let picks = pick(&file.path, &names, &file.columns, file.label)?;
        let mut first = None;
        if !dialect.header {
            let place = Place::file(&file.path).at_line(frame.line);
            let raw = read(&fields, &picks, file.separator.as_deref(), place);
            let raw = raw.map_err(|error| bad(error, frame.bytes));
            first = Some(Row { position: Some(Position::Line(frame.line)), raw });
        }
        let separator = file.separator.clone();
        Ok(Self { frames, fields, picks, separator, width, first })
    }
}

/// Whether a first row can be the header that the first file of the split has: else it would be lost.
fn is_header_like(names: &[String], file: &DataFile) -> bool {
    let told = &file.columns;
    let told = || told.text.iter().chain(&told.label).chain(&told.group).chain(&told.id);
    let known = |name: &String| {
        let is = |other: &String| other.trim() == name.trim();
        let named = file.names.iter().any(is) || told().any(is);
        !name.trim().is_empty() && (named && name.parse::<usize>().is_err() || is_usual(name))
    };
    names == file.names || names.iter().any(known)
}

impl Rows for CsvRows {
    fn next(&mut self) -> Result<Option<Row>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let path = self.frames.path().to_owned();
        let Some(frame) = self.frames.next()? else {
            return Ok(None);
        };
        let place = || Place::file(&path).at_line(frame.line);
        let raw = if let Some(problem) = frame.problem {
            Err(framing(problem, place()))
        } else {
            let found = self.fields.split(frame.bytes);
            if found == self.width {
                read(&self.fields, &self.picks, self.separator.as_deref(), place())
            } else {
                let problem = format!("has {found} fields, and the first row {}", self.width);
                Err(Error::Malformed { place: place(), problem })
            }
        };
        let raw = raw.map_err(|error| bad(error, frame.bytes));
        Ok(Some(Row { position: Some(Position::Line(frame.line)), raw }))
    }

    fn path(&self) -> &Path {
        self.frames.path()
    }
}

fn read(fields: &Fields, picks: &Picks, separator: Option<&str>, place: Place) -> Result<Raw> {
    let cell = |at: usize| {
        let offset = |error: std::str::Utf8Error| error.valid_up_to();
        std::str::from_utf8(fields.get(at))
            .map_err(|error| Error::NotUtf8 { place: place.clone(), offset: offset(error) })
    };
    let some = |at: Option<usize>| -> Result<Option<String>> {
        let cell = at.map(cell).transpose()?;
        Ok(cell.filter(|cell| !cell.trim().is_empty()).map(str::to_owned))
    };
    let mut text = String::new();
    for (index, &at) in picks.text.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(cell(at)?);
    }
    let (group, id) = (some(picks.group)?, some(picks.id)?);
    let (Some(separator), Some(at)) = (separator, picks.label) else {
        return Ok(Raw { text, label: some(picks.label)?, labels: None, group, id });
    };
    match several::split(cell(at)?, separator) {
        Ok(labels) => Ok(Raw { text, label: None, labels: Some(labels), group, id }),
        Err(problem) => Err(Error::Malformed { place, problem }),
    }
}
