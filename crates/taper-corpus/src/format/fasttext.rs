//! fastText's lines for supervised training.
//!
//! ```text
//! line   = labels text LF
//! labels = ("__label__" label blank+)*   one; where a text may have several, any number
//! label  = any bytes but blanks
//! text   = the rest of the line
//! ```
//! Blank lines are passed over; a line without the prefix is a text without a label.

use super::Raw;

pub(super) const PREFIX: &str = "__label__";

pub(super) fn read(line: &str, several: bool) -> Result<Option<Raw>, String> {
    const BLANKS: [char; 2] = [' ', '\t'];
    if line.trim().is_empty() {
        return Ok(None);
    }
    let (mut text, mut labels) = (line, Vec::new());
    while let Some(rest) = text.strip_prefix(PREFIX) {
        let (label, rest) = rest.split_once(BLANKS).unwrap_or((rest, ""));
        if label.is_empty() {
            return Err(format!("`{PREFIX}` without a label behind it"));
        }
        labels.push(label.to_owned());
        text = rest.trim_start_matches(BLANKS);
    }
    let text = text.to_owned();
    if several {
        return Ok(Some(Raw { text, labels: Some(labels), ..Raw::default() }));
    }
    if labels.len() > 1 {
        return Err(
            "has two labels; a text has one, unless it is said that texts have several".to_owned()
        );
    }
    Ok(Some(Raw { text, label: labels.pop(), ..Raw::default() }))
}
