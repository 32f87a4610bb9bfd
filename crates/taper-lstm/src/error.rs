//! What can go wrong in this crate, and what would have been right.

use std::path::PathBuf;

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the LSTM engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration value is out of its range.
    #[error("{key} is {found}; it must be {expected}")]
    Config {
        /// Name of the field.
        key: &'static str,
        /// The value as given.
        found: String,
        /// The values it may take.
        expected: &'static str,
    },
    /// A batch without sequences.
    #[error("the batch has no sequences; it needs at least one")]
    EmptyBatch,
    /// A sequence without steps: it has no last state.
    #[error("sequence {index} of the batch has length 0; every sequence needs at least one step")]
    EmptySequence {
        /// Position in the batch, from 0.
        index: usize,
    },
    /// Two operands disagree in shape.
    #[error("{what} has shape {found:?}; expected {expected:?}")]
    Shape {
        /// Which operand.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A token id beyond the embedding's rows.
    #[error("token id {id} is outside the embedding of {rows} rows")]
    TokenId {
        /// The id as given.
        id: u32,
        /// Rows of the embedding.
        rows: usize,
    },
    /// A weight file that does not fit the model.
    #[error("{path}: {problem}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is missing, unexpected or misshapen, by tensor name.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// An error of candle itself.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn shape(what: &'static str, found: &[usize], expected: &[usize]) -> Self {
        Self::Shape { what, found: found.to_vec(), expected: expected.to_vec() }
    }
}
