//! Where something stands: a file, and the member, row or line in it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a problem stands: a file, and where known the archive member and the row or line in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file (or folder) as the caller named it.
    pub path: PathBuf,
    /// The member of an archive, such as `aclImdb/train/pos/0_9.txt`.
    pub member: Option<Box<str>>,
    /// The row or line.
    pub position: Option<Position>,
}

/// A row or a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The row of a Parquet file, counted from 0.
    Row(u64),
    /// The line of a text file, counted from 1.
    Line(u64),
}

impl Place {
    pub(crate) fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), member: None, position: None }
    }

    pub(crate) fn member(path: &Path, member: &str) -> Self {
        Self { member: Some(member.into()), ..Self::file(path) }
    }

    pub(crate) fn row(path: &Path, row: u64) -> Self {
        Self { position: Some(Position::Row(row)), ..Self::file(path) }
    }

    pub(crate) fn at_line(self, line: u64) -> Self {
        Self { position: Some(Position::Line(line)), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(member) = &self.member {
            write!(f, ", member {member}")?;
        }
        self.position.map_or(Ok(()), |position| write!(f, ", {position}"))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(row) => write!(f, "row {row} (counted from 0)"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}
