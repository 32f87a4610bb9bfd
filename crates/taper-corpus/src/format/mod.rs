//! Files of labelled texts, a format in each room: rows as they stand, labels still as words.

mod csv;
mod detect;
mod dialect;
mod fasttext;
mod folders;
mod jsonl;
mod parquet;
mod pick;
mod several;
mod text;
mod trec;

use std::path::{Path, PathBuf};

pub(crate) use detect::{Detected, detect, detect_in, extension};
pub(crate) use dialect::Dialect;
pub(crate) use folders::class_folders;
pub(crate) use parquet::class_names;
pub(crate) use pick::{LabelUse, pick};
pub(crate) use several::check as check_several;

use crate::error::{Error, Place, Position, Result};
use crate::input::{Frame, Frames, Input, Problem};
use crate::settings::{ColumnSettings, Limits};

/// What a row says, before its label has a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Raw {
    pub(crate) text: String,
    /// `None` where the cell is empty, null, or (beside class names) -1.
    pub(crate) label: Option<String>,
    /// Where a text may have several labels, they stand here, and there is no `label`; `None` where it is null.
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) group: Option<String>,
    pub(crate) id: Option<String>,
}

impl Raw {
    /// Whether it is known which labels it has, though it may have none of several.
    pub(crate) fn is_labelled(&self) -> bool {
        self.label.is_some() || self.labels.is_some()
    }

    /// Its label as it is written, or its labels in one line.
    pub(crate) fn words(&self) -> Option<String> {
        self.label.clone().or_else(|| Some(self.labels.as_ref()?.join(" | ")))
    }
}

/// A row that is not as it should be; those after it may be.
#[derive(Debug)]
pub(crate) struct BadRow {
    pub(crate) error: Error,
    /// How the row begins.
    pub(crate) content: String,
}

/// A row and where it stands.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) position: Option<Position>,
    pub(crate) raw: Result<Raw, Box<BadRow>>,
}

/// The rows of one file (or class folder), in order.
pub(crate) trait Rows {
    /// # Errors
    /// What makes the rest of the file unreadable.
    fn next(&mut self) -> Result<Option<Row>>;

    /// The file that the last row came from.
    fn path(&self) -> &Path;
}

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    Csv(Dialect),
    Jsonl,
    Parquet,
    Folder,
    FastText,
    Trec,
    Text,
}

/// One file and how to read it.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub(crate) path: PathBuf,
    pub(crate) reading: Reading,
    /// What the columns of the split's first file are called; a reader looks at its own file.
    pub(crate) names: Vec<String>,
    pub(crate) columns: ColumnSettings,
    /// Whether the settings say that first rows are headers, whatever stands there.
    pub(crate) header_told: bool,
    pub(crate) label: LabelUse,
    /// What separates the labels of a text that may have several.
    pub(crate) separator: Option<String>,
}

impl DataFile {
    pub(crate) fn open(&self, limits: &Limits) -> Result<Box<dyn Rows>> {
        match &self.reading {
            Reading::Parquet => Ok(Box::new(parquet::ParquetRows::open(self)?)),
            Reading::Folder => Ok(Box::new(folders::FolderRows::open(&self.path, *limits)?)),
            _ => self.read(Input::open(&self.path, limits)?, limits),
        }
    }

    /// The rows of what has been opened already: a file, or a stream that is none.
    ///
    /// # Errors
    /// What needs more than one look at the bytes: Parquet, a folder.
    pub(crate) fn read(&self, input: Input, limits: &Limits) -> Result<Box<dyn Rows>> {
        Ok(match &self.reading {
            Reading::Csv(dialect) => Box::new(csv::CsvRows::new(input, self, *dialect, limits)?),
            Reading::Jsonl => Box::new(jsonl::JsonRows::new(input, self, limits)?),
            Reading::Parquet | Reading::Folder => {
                return Err(Error::NotSeekable { path: self.path.clone() });
            }
            Reading::FastText => {
                let several = self.separator.is_some();
                let read = move |line: &str| fasttext::read(line, several);
                Box::new(LineRows::new(input, limits, read))
            }
            Reading::Trec => {
                let label = trec::Label::of(&self.path, self.columns.label.as_deref())?;
                let read = move |line: &str| trec::read(line, label);
                Box::new(LineRows::new(input, limits, read))
            }
            Reading::Text => Box::new(LineRows::new(input, limits, text::read)),
        })
    }
}

/// The lines of plain text, a row each: blank ones too, so that what is said of them stands on the same line.
pub(crate) fn every_line(input: Input, limits: &Limits) -> Box<dyn Rows> {
    let frames = Frames::new(input, None, limits).with_blank_lines();
    let read = |line: &str| Ok(Some(Raw { text: line.to_owned(), ..Raw::default() }));
    Box::new(LineRows { frames, read })
}

/// A format whose rows are single lines. The reader of a line gives `None` for one to pass over, and
/// a problem in words.
struct LineRows<F> {
    frames: Frames,
    read: F,
}

impl<F: FnMut(&str) -> std::result::Result<Option<Raw>, String>> LineRows<F> {
    fn new(input: Input, limits: &Limits, read: F) -> Self {
        Self { frames: Frames::new(input, None, limits), read }
    }
}

impl<F: FnMut(&str) -> std::result::Result<Option<Raw>, String>> Rows for LineRows<F> {
    fn next(&mut self) -> Result<Option<Row>> {
        let path = self.frames.path().to_owned();
        while let Some(frame) = self.frames.next()? {
            let place = || Place::file(&path).at_line(frame.line);
            let read = line(&frame, place).and_then(|line| {
                (self.read)(line).map_err(|problem| Error::Malformed { place: place(), problem })
            });
            let raw = match read {
                Ok(None) => continue,
                Ok(Some(raw)) => Ok(raw),
                Err(error) => Err(bad(error, frame.bytes)),
            };
            return Ok(Some(Row { position: Some(Position::Line(frame.line)), raw }));
        }
        Ok(None)
    }

    fn path(&self) -> &Path {
        self.frames.path()
    }
}

/// A whole line of UTF-8.
fn line<'a>(frame: &Frame<'a>, place: impl Fn() -> Place) -> Result<&'a str> {
    if let Some(problem) = frame.problem {
        return Err(framing(problem, place()));
    }
    std::str::from_utf8(frame.bytes)
        .map_err(|error| Error::NotUtf8 { place: place(), offset: error.valid_up_to() })
}

fn framing(problem: Problem, place: Place) -> Error {
    match problem {
        Problem::TooLong => Error::TooLarge {
            place,
            found: "is".to_owned(),
            limit: "a row may hold; is a line break or a quote missing?".to_owned(),
        },
        Problem::MisplacedQuote => Error::Malformed {
            place,
            problem:
                "something follows a closing quote; is a quote missing, here or in a row before? \
                      A quote within a quoted field is written twice"
                    .to_owned(),
        },
    }
}

fn bad(error: Error, content: &[u8]) -> Box<BadRow> {
    const SHOWN: usize = 512;
    let content = String::from_utf8_lossy(&content[..content.len().min(SHOWN)]).into_owned();
    Box::new(BadRow { error, content })
}
