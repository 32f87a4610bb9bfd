//! Labels of a text that may have several, from a cell that is no list.

use super::{DataFile, Reading};
use crate::error::{Error, Result};

/// Holds a file's format against what is said of it.
///
/// # Errors
/// A format that gives each text one label, where it is said that texts have several.
pub(crate) fn check(file: &DataFile) -> Result<()> {
    if file.separator.is_none() || !matches!(file.reading, Reading::Folder | Reading::Trec) {
        return Ok(());
    }
    Err(Error::Settings {
        key: "label_separator",
        problem: format!(
            "{}: a folder per class and TREC's lines give each text one label; several stand in a list, in a cell, or \
             on fastText's lines",
            file.path.display()
        ),
    })
}

/// The labels of a cell, without blanks around them; a blank cell has none.
pub(super) fn split(cell: &str, separator: &str) -> Result<Vec<String>, String> {
    if cell.trim().is_empty() {
        return Ok(Vec::new());
    }
    let label = |label: &str| match label.trim() {
        "" => Err(format!("an empty label in {cell:?}, where `{separator}` separates labels")),
        label => Ok(label.to_owned()),
    };
    cell.split(separator).map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_split_and_trimmed() {
        assert_eq!(split("a| b c |d", "|"), Ok(vec!["a".into(), "b c".into(), "d".into()]));
        assert_eq!(split("a", "|"), Ok(vec!["a".into()]));
        assert_eq!(split(" ", "|"), Ok(Vec::new()));
        assert!(split("a||b", "|").unwrap_err().contains("an empty label in \"a||b\""));
    }
}
