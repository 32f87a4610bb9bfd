//! fastText's lines for supervised training.
//!
//! ```text
//! line  = "__label__" label blank+ text LF
//! label = any bytes but blanks
//! text  = the rest of the line; a second label there is refused, since a text has one
//! ```
//! Blank lines are passed over; a line without the prefix is a text without a label.

use super::Raw;

pub(super) const PREFIX: &str = "__label__";

pub(super) fn read(line: &str) -> Result<Option<Raw>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let Some(rest) = line.strip_prefix(PREFIX) else {
        return Ok(Some(Raw { text: line.to_owned(), ..Raw::default() }));
    };
    let (label, text) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let text = text.trim_start_matches([' ', '\t']);
    if label.is_empty() {
        return Err(format!("`{PREFIX}` without a label behind it"));
    }
    if text.starts_with(PREFIX) {
        return Err("has two labels; a text has one".to_owned());
    }
    Ok(Some(Raw { text: text.to_owned(), label: Some(label.to_owned()), ..Raw::default() }))
}
