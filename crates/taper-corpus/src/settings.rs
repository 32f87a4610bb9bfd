//! What may be said of a source before it is looked at. All of it can be left to detection.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// What files hold labelled texts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A table of lines: CSV, TSV and their kin.
    Csv,
    /// A JSON object a line.
    Jsonl,
    /// Parquet with any column names.
    Parquet,
    /// A folder per class, a file per text.
    Folders,
    /// fastText's lines: `__label__CLASS TEXT`.
    FastText,
    /// TREC's lines: `COARSE:FINE TEXT`.
    Trec,
    /// A text a line, without labels.
    Text,
}

/// What happens when a row is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It ends the stream with an error that names it.
    #[default]
    Stop,
    /// It is handed to the caller's `reject`, and the stream goes on.
    Skip,
}

/// Which columns hold what. A column is named, or numbered from 1 where no column has that name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnSettings {
    /// The text: one column, or several that are joined by a line break in this order. Empty: detected.
    pub text: Vec<String>,
    /// The class. Detected where not given; the split `unsupervised` can go without, and a test split.
    pub label: Option<String>,
    /// What rows share that must not straddle a split; a column called `group` where not given.
    pub group: Option<String>,
    /// The row's name; a column called `id` where not given, else the row's place: `train/17`.
    pub id: Option<String>,
}

/// How a table of lines is written. What is not given is detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DialectSettings {
    /// Between fields: an ASCII character.
    pub delimiter: Option<char>,
    /// Around fields that hold delimiters or line breaks: an ASCII character. `Some(None)`: nothing is quoted.
    pub quote: Option<Option<char>>,
    /// Whether the first row names the columns.
    pub header: Option<bool>,
}

/// Bounds on what a file can make a reader hold or write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one row, line or text.
    pub row_bytes: usize,
    /// How many times its size a compressed file may unpack to, once it has given 64 MiB.
    pub expansion: u64,
}

impl Default for Limits {
    /// 16 MiB a row; 200 times (text packs 3 to 10 times, a bomb 1,000 times or more).
    fn default() -> Self {
        Self { row_bytes: 16 << 20, expansion: 200 }
    }
}

/// What may be said of a source; [`SourceSettings::default`] leaves everything to detection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceSettings {
    /// The format of all files.
    pub format: Option<Format>,
    /// Split -> its files, as names or globs within the folder that is opened.
    pub files: BTreeMap<String, Vec<String>>,
    /// Which columns hold what.
    pub columns: ColumnSettings,
    /// The class names in the order of their numbers. Without them that is the order in which the
    /// training split uses them; classes that are all whole numbers are in the order of their size, and
    /// `false` is before `true`.
    pub label_names: Vec<String>,
    /// Says that a text has any number of labels, maybe none: a list, or a cell in which this separates them, or
    /// several of fastText's `__label__`.
    pub label_separator: Option<String>,
    /// How tables of lines are written.
    pub dialect: DialectSettings,
    /// What happens when a row is not as it should be.
    pub on_error: OnError,
    /// What a hostile file cannot exceed.
    pub limits: Limits,
}

impl SourceSettings {
    /// # Errors
    /// A delimiter or quote that is not one ASCII character, or both the same; a class name that is empty or there twice.
    pub(crate) fn check(&self) -> Result<()> {
        let fail = |key: &'static str, problem: String| Err(Error::Settings { key, problem });
        let special = |c: char| !c.is_ascii() || matches!(c, '\n' | '\r' | '\0');
        let (delimiter, quote) = (self.dialect.delimiter, self.dialect.quote.flatten());
        for (key, character) in [("delimiter", delimiter), ("quote", quote)] {
            if let Some(found) = character.filter(|&c| special(c)) {
                return fail(key, format!("{found:?} is not a printable ASCII character or a tab"));
            }
        }
        if delimiter.is_some() && delimiter == quote {
            return fail("quote", format!("{delimiter:?} is the delimiter already"));
        }
        if self.label_separator.as_ref().is_some_and(|separator| separator.trim().is_empty()) {
            return fail(
                "label_separator",
                "it is blank, and labels hold blanks; `|` is usual".to_owned(),
            );
        }
        check_names(&self.label_names)
            .map_err(|problem| Error::Settings { key: "label_names", problem })
    }
}

/// Whether these can be the names of classes.
///
/// # Errors
/// One that is blank or stands there twice, in words that follow the names' key.
pub fn check_names(names: &[String]) -> Result<(), String> {
    for (at, name) in names.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(format!("name {} of {} is empty; each class has one", at + 1, names.len()));
        }
        if names[..at].contains(name) {
            return Err(format!("`{name}` stands there twice"));
        }
    }
    Ok(())
}
