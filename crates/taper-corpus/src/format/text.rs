//! Plain text: a text a line, without labels, for the split `unsupervised`.
//!
//! ```text
//! line = text LF     UTF-8; lines of blanks alone are passed over
//! ```

use super::Raw;

#[allow(clippy::unnecessary_wraps)] // As the other formats of lines, which can fail.
pub(super) fn read(line: &str) -> Result<Option<Raw>, String> {
    let blank = line.trim().is_empty();
    Ok((!blank).then(|| Raw { text: line.to_owned(), ..Raw::default() }))
}
