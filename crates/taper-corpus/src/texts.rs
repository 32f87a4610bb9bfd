//! The texts of one file, or of a stream, one at a time: what a trained model is asked about.
//!
//! Unlike [`Source`](crate::Source), it needs no labels and looks at none, reads once, and knows no splits.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place, Position, Result};
use crate::format::{
    DataFile, Detected, LabelUse, Reading, Row, Rows, detect, detect_in, every_line,
};
use crate::input::{Input, archive};
use crate::settings::{Format, OnError, SourceSettings};
use crate::source::Source;

/// A text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its row, counted from 1; rows that are passed over count too.
    pub row: u64,
    /// What its `id` column calls it.
    pub id: Option<String>,
    /// The text; a line of plain text may be blank.
    pub text: String,
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// The texts of a file, or of a stream, in order; memory does not grow with either.
///
/// ```no_run
/// use std::path::Path;
/// use taper_corpus::{SourceSettings, Texts};
/// for text in Texts::open(Path::new("reviews.csv.gz"), &SourceSettings::default())? {
///     println!("{}", text?.text);
/// }
/// # Ok::<(), taper_corpus::Error>(())
/// ```
pub struct Texts {
    path: PathBuf,
    /// Nothing once it has ended.
    rows: Option<Box<dyn Rows>>,
    settings: SourceSettings,
    row: u64,
    skipped: u64,
    first_problem: Option<String>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, row, skipped, .. } = self;
        f.debug_struct("Texts")
            .field("path", path)
            .field("row", row)
            .field("skipped", skipped)
            .finish_non_exhaustive()
    }
}

impl Texts {
    /// Opens a file of any format but a folder per class; of a zip archive its only file. Format, columns and dialect are detected as
    /// [`Source::open_with`](crate::Source::open_with) does it, or told; splits and classes do not matter.
    ///
    /// # Errors
    /// A folder, an empty file, one of no known format, or without a column that is known to hold the text; a table whose
    /// first row may name its columns or be a text, unless the settings say which ([`Error::UnclearHeader`]).
    pub fn open(path: &Path, settings: &SourceSettings) -> Result<Self> {
        settings.check()?;
        let several = match (path.is_dir(), path.exists(), Source::is_pattern(path)) {
            (true, ..) => Some("a folder"),
            (_, false, true) => Some("a pattern, which may match several files"),
            _ => None,
        };
        if let Some(found) = several {
            return Err(Error::NotOneFile { path: path.to_owned(), found });
        }
        let path = &within_archive(path)?;
        let detected = detect(path, settings)?;
        let rows = if detected.reading == Reading::Text {
            every_line(Input::open(path, &settings.limits)?, &settings.limits)
        } else {
            data_file(path, detected, settings)?.open(&settings.limits)?
        };
        Ok(Self::new(path, Some(rows), settings))
    }

    /// The texts of a stream, which is read once and may be packed by gzip or Zstandard; `name` is what errors call it.
    /// It is what [`SourceSettings::format`] says, without one a text a line: that is not detected. Columns and dialect
    /// are, from its first 256 KiB, or told. A stream may be empty.
    ///
    /// # Errors
    /// Parquet ([`Error::NotSeekable`]); what the stream refuses; UTF-16, by its byte-order mark; of a table or JSON lines
    /// what [`Texts::open`] refuses.
    pub fn stream(
        name: &Path,
        reader: impl Read + 'static,
        settings: &SourceSettings,
    ) -> Result<Self> {
        settings.check()?;
        let format = settings.format.unwrap_or(Format::Text);
        if format == Format::Parquet {
            return Err(Error::NotSeekable { path: name.to_owned() });
        }
        let rows = || {
            let mut input = Input::stream(name, Box::new(reader))?;
            if format == Format::Text {
                return Ok(every_line(input, &settings.limits));
            }
            let detected = detect_in(&mut input, settings)?;
            data_file(name, detected, settings)?.read(input, &settings.limits)
        };
        match rows() {
            Err(Error::Empty { .. }) => Ok(Self::new(name, None, settings)),
            rows => Ok(Self::new(name, Some(rows?), settings)),
        }
    }

    fn new(path: &Path, rows: Option<Box<dyn Rows>>, settings: &SourceSettings) -> Self {
        let (path, settings) = (path.to_owned(), settings.clone());
        Self { path, rows, settings, row: 0, skipped: 0, first_problem: None }
    }

    /// Rows that were passed over so far, where the settings say so ([`OnError::Skip`]).
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What was wrong with the first of them, with its place.
    pub fn first_problem(&self) -> Option<&str> {
        self.first_problem.as_deref()
    }

    fn text(&self, row: Row) -> Result<Text> {
        let raw = row.raw.map_err(|bad| bad.error)?;
        let most = self.settings.limits.row_bytes;
        if raw.text.len() > most {
            return Err(Error::too_long(self.place(row.position), most));
        }
        Ok(Text { row: self.row, id: raw.id, text: raw.text })
    }

    fn place(&self, position: Option<Position>) -> Place {
        Place { position, ..Place::file(&self.path) }
    }
}

/// How what was detected is read, labels aside.
fn data_file(path: &Path, detected: Detected, settings: &SourceSettings) -> Result<DataFile> {
    if let Some(first) = detected.unclear {
        return Err(Error::UnclearHeader { place: Place::file(path), first });
    }
    Ok(DataFile {
        path: path.to_owned(),
        reading: detected.reading,
        names: detected.names,
        columns: detected.columns,
        header_told: settings.dialect.header == Some(true),
        label: LabelUse::Ignored,
        separator: None,
    })
}

/// The one member of a zip archive; any other file is itself.
fn within_archive(path: &Path) -> Result<PathBuf> {
    if !archive::is_zip(path) {
        return Ok(path.to_owned());
    }
    let mut members = archive::members(path)?;
    match (members.pop(), members.len()) {
        (Some(only), 0) => Ok(only),
        (last, others) => Err(Error::NotASource {
            path: path.to_owned(),
            found: last.map_or("an archive without a file".to_owned(), |last| {
                format!("an archive of {} files; name one, as in `{}`", others + 1, last.display())
            }),
        }),
    }
}

impl Iterator for Texts {
    type Item = Result<Text>;

    /// An error ends it.
    fn next(&mut self) -> Option<Result<Text>> {
        loop {
            let next = self.rows.as_mut()?.next();
            let read = next.and_then(|row| {
                let Some(row) = row else { return Ok(None) };
                self.row += 1;
                match self.text(row) {
                    Ok(text) => Ok(Some(Some(text))),
                    Err(error) if self.settings.on_error == OnError::Skip => {
                        self.skipped += 1;
                        self.first_problem.get_or_insert_with(|| error.to_string());
                        Ok(Some(None))
                    }
                    Err(error) => Err(error),
                }
            });
            match read {
                Ok(Some(Some(text))) => return Some(Ok(text)),
                Ok(Some(None)) => {}
                Ok(None) => {
                    self.rows = None;
                    return None;
                }
                Err(error) => {
                    self.rows = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
