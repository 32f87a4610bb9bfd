//! The question classification files of TREC: `DESC:manner How did serfdom develop ?`.
//!
//! ```text
//! line   = coarse ":" fine blank text LF
//! coarse = ASCII letters
//! fine   = ASCII letters, digits and "_"
//! ```
//! As columns: 1 `coarse` (`DESC`), 2 `fine` (`DESC:manner`, since `other` stands under several), 3 `text`.
//! The label is `coarse` unless the settings say `fine`. Blank lines are passed over.

use std::path::Path;

use super::Raw;
use super::pick::{LabelUse, pick};
use crate::error::{Error, Result};
use crate::settings::ColumnSettings;

pub(super) const COLUMNS: [&str; 3] = ["coarse", "fine", "text"];

/// Which of its two labels a line is read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Coarse,
    Fine,
}

impl Label {
    pub(super) fn of(path: &Path, column: Option<&str>) -> Result<Self> {
        let told = ColumnSettings {
            text: vec!["text".to_owned()],
            label: Some(column.unwrap_or("coarse").to_owned()),
            ..ColumnSettings::default()
        };
        match pick(path, &COLUMNS.map(str::to_owned), &told, LabelUse::Required)?.label {
            Some(0) => Ok(Self::Coarse),
            Some(1) => Ok(Self::Fine),
            _ => Err(Error::Settings {
                key: "columns.label",
                problem: "`text` is the text".to_owned(),
            }),
        }
    }
}

/// Coarse label, both, and the text.
pub(super) fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (both, text) = line.split_once([' ', '\t'])?;
    let (coarse, fine) = both.split_once(':')?;
    let word = |part: &str, more: &[u8]| {
        let fits = |byte: u8| byte.is_ascii_alphabetic() || more.contains(&byte);
        !part.is_empty() && part.bytes().all(fits)
    };
    let fits = word(coarse, b"") && word(fine, b"_0123456789");
    fits.then(|| (coarse, both, text.trim_start_matches([' ', '\t'])))
}

pub(super) fn read(line: &str, label: Label) -> Result<Option<Raw>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let (coarse, both, text) = parts(line)
        .ok_or("expected a label and a text, such as `DESC:manner How did serfdom develop ?`")?;
    let label = if label == Label::Fine { both } else { coarse };
    Ok(Some(Raw { text: text.to_owned(), label: Some(label.to_owned()), ..Raw::default() }))
}
