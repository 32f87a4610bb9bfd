//! Why bytes are no tokenizer, before it is known which file they are of.

use crate::error::Error;

/// An error that already says all, or a shape that the caller names the file of.
pub(super) enum Shape {
    Own(Error),
    Other { found: String, expected: String },
}

pub(super) fn other(found: impl Into<String>, expected: impl Into<String>) -> Shape {
    Shape::Other { found: found.into(), expected: expected.into() }
}
