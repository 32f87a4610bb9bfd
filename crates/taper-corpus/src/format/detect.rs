//! What a file is, from its first bytes and, where they leave a choice, its name.
//!
//! ```text
//! PAR1                                Parquet
//! { or the name .jsonl .ndjson        JSON lines (a list, `[`, is refused: it is no stream)
//! __label__                           fastText's lines
//! COARSE:FINE TEXT on every line      TREC's lines
//! else by the name                    .csv .tsv .tab .psv: a table; .txt .text, none: plain text
//! else                                a table, if a delimiter gives the same two or more fields a row
//! ```

use std::path::Path;

use super::csv::numbers;
use super::dialect::{self, Look};
use super::pick::{is_usual, names_rows};
use super::{Reading, fasttext, jsonl, parquet, trec};
use crate::error::{Error, Place, Result};
use crate::input::{Input, archive};
use crate::settings::{ColumnSettings, Format, SourceSettings};

/// Bytes that are looked at.
pub(super) const SAMPLE: usize = 256 << 10;

const LIST: &str = "a JSON list; write an object a line (`jq -c .[]`)";

/// What a file was found to be.
#[derive(Debug, Clone)]
pub(crate) struct Detected {
    pub(crate) reading: Reading,
    /// What its columns are called; numbers where they have no names.
    pub(crate) names: Vec<String>,
    /// The settings, and what the rows themselves add to them.
    pub(crate) columns: ColumnSettings,
    /// A first row that is taken for a row, and may be the columns' names all the same.
    pub(crate) unclear: Option<Vec<String>>,
}

/// Looks at a file.
///
/// # Errors
/// An empty file, one that cannot be opened, and one that is none of the formats.
pub(crate) fn detect(path: &Path, settings: &SourceSettings) -> Result<Detected> {
    let detected = detect_in(&mut Input::open(path, &settings.limits)?, settings)?;
    if detected.reading == Reading::Parquet {
        return Ok(Detected { names: parquet::columns(path)?, ..detected });
    }
    Ok(detected)
}

/// Looks at what has been opened already, and leaves it to be read. Of Parquet, the columns are not looked for.
///
/// # Errors
/// As [`detect`].
pub(crate) fn detect_in(input: &mut Input, settings: &SourceSettings) -> Result<Detected> {
    let path = &input.path().to_owned();
    let (sample, complete) = input.head(SAMPLE)?;
    let sample = if complete { &sample[..] } else { up_to_line_end(&sample) };
    if sample.is_empty() {
        return Err(Error::Empty { place: Place::file(path) });
    }
    let format = match settings.format {
        Some(format) => format,
        None => format_of(path, sample, complete, settings)?,
    };
    if !sample.contains(&b'\n') && sample.contains(&b'\r') && format != Format::Parquet {
        return Err(Error::Malformed {
            place: Place::file(path),
            problem: "its lines end in CR alone; convert them to LF".to_owned(),
        });
    }
    let columns = settings.columns.clone();
    if matches!(format, Format::FastText | Format::Trec | Format::Text)
        && (columns.group.is_some() || columns.id.is_some())
    {
        return Err(Error::Settings {
            key: "columns",
            problem: "lines of this format have neither group nor id".to_owned(),
        });
    }
    let fixed = |reading, names: &[&str]| Detected {
        reading,
        names: names.iter().map(|&name| name.to_owned()).collect(),
        columns: columns.clone(),
        unclear: None,
    };
    Ok(match format {
        Format::Csv => table(path, sample, complete, settings),
        Format::Jsonl => {
            let names = jsonl::keys(input, &settings.limits)?;
            // Lines among which one is no object are told when its turn comes.
            if names.is_empty() && sample.trim_ascii_start().starts_with(b"[") {
                return Err(not_one(path, LIST));
            }
            if names.is_empty()
                && (complete || sample.contains(&b'\n'))
                && let Some((line, problem)) = jsonl::first_problem(sample)
            {
                return Err(Error::Malformed { place: Place::file(path).at_line(line), problem });
            }
            Detected { names, ..fixed(Reading::Jsonl, &[]) }
        }
        Format::Parquet => fixed(Reading::Parquet, &[]),
        Format::FastText => fixed(Reading::FastText, &["label", "text"]),
        Format::Trec => fixed(Reading::Trec, &trec::COLUMNS),
        Format::Text => fixed(Reading::Text, &["text"]),
        Format::Folders => return Err(not_one(path, "it is a file, and the format is `folders`")),
    })
}

/// A file's name without what it is packed in, and that without its extension's dot: `csv`.
pub(crate) fn extension(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    name.rsplit_once('.').map_or_else(String::new, |(_, extension)| extension.to_owned())
}

fn format_of(
    path: &Path,
    sample: &[u8],
    complete: bool,
    settings: &SourceSettings,
) -> Result<Format> {
    let start = sample.trim_ascii_start();
    let extension = extension(path);
    let is_table = ["csv", "tsv", "tab", "psv"].contains(&extension.as_str());
    if sample.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if start.starts_with(b"{") && !is_table {
        return Ok(Format::Jsonl);
    }
    if ["jsonl", "ndjson"].contains(&extension.as_str()) {
        return Ok(Format::Jsonl);
    }
    if start.starts_with(b"[") && extension.starts_with("json") {
        return Err(not_one(path, LIST));
    }
    if sample.starts_with(archive::MARK) {
        let found = "a zip archive; open it by itself, or name its file as in `FILE.zip/train.csv`";
        return Err(not_one(path, found));
    }
    if sample.get(257..262) == Some(b"ustar") {
        let found = "a tar archive; only aclImdb's own .tar.gz is read packed. Other files, such as a folder per class: \
                     unpack it";
        return Err(not_one(path, found));
    }
    if start.starts_with(fasttext::PREFIX.as_bytes()) {
        return Ok(Format::FastText);
    }
    let lines = || sample.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let is_trec = |line: &[u8]| trec::parts(&String::from_utf8_lossy(line)).is_some();
    if !is_table && lines().count() > 0 && lines().all(is_trec) {
        return Ok(Format::Trec);
    }
    if is_table {
        return Ok(Format::Csv);
    }
    if ["txt", "text", ""].contains(&extension.as_str()) {
        return Ok(Format::Text);
    }
    if sniff(path, sample, complete, settings).is_some() {
        return Ok(Format::Csv);
    }
    let found = format!("a file of none of the formats (`.{extension}`); say which one it is");
    Err(not_one(path, &found))
}

fn sniff(path: &Path, sample: &[u8], complete: bool, settings: &SourceSettings) -> Option<Look> {
    let tabs_first = ["tsv", "tab"].contains(&extension(path).as_str());
    dialect::sniff(sample, complete, &settings.dialect, &settings.columns, tabs_first)
}

fn table(path: &Path, sample: &[u8], complete: bool, settings: &SourceSettings) -> Detected {
    let single = || dialect::single(sample, complete, &settings.dialect, &settings.columns);
    let look = sniff(path, sample, complete, settings).unwrap_or_else(single);
    let width = look.rows.first().map_or(0, Vec::len);
    let mut columns = settings.columns.clone();
    let names = match look.rows.first() {
        Some(first) if look.dialect.header => first.clone(),
        _ => numbers(width),
    };
    // Two columns whose names say nothing: the longer one is the text.
    let says_nothing = !names.iter().any(|name| is_usual(name) || names_rows(name));
    if says_nothing && width == 2 && columns.text.is_empty() && columns.label.is_none() {
        let bytes =
            |at: usize| look.rows.iter().filter_map(|row| row.get(at)).map(String::len).sum();
        let [one, two]: [usize; 2] = [bytes(0), bytes(1)];
        let (text, label) = if one > two { ("1", "2") } else { ("2", "1") };
        columns.text.push(text.to_owned());
        columns.label = Some(label.to_owned());
    }
    let unclear = settings.dialect.header.is_none()
        && !look.dialect.header
        && dialect::may_be_header(&look.rows);
    let unclear = look.rows.into_iter().next().filter(|_| unclear);
    Detected { reading: Reading::Csv(look.dialect), names, columns, unclear }
}

fn up_to_line_end(sample: &[u8]) -> &[u8] {
    let end = memchr::memrchr(b'\n', sample);
    end.map_or(sample, |at| &sample[..=at])
}

fn not_one(path: &Path, found: &str) -> Error {
    Error::NotASource { path: path.to_owned(), found: found.to_owned() }
}
