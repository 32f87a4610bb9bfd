//! What can go wrong in this crate, and what would have been right.

use std::path::PathBuf;

use candle_core::{DType, Tensor};

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
    /// A sequence longer than the padded input that it is to be packed from.
    #[error(
        "sequence {index} of the batch has length {length}; the padded input has {steps} steps"
    )]
    SequenceTooLong {
        /// Position in the batch, from 0.
        index: usize,
        /// Its length as given.
        length: usize,
        /// Steps of the padded input.
        steps: usize,
    },
    /// Two operands disagree in type.
    #[error("{what} is {found}; expected {expected}")]
    Type {
        /// Which operand.
        what: &'static str,
        /// Its type.
        found: &'static str,
        /// The type it should have.
        expected: &'static str,
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
    /// Unless `tensor` has this type.
    pub(crate) fn check_type(what: &'static str, tensor: &Tensor, expected: DType) -> Result<()> {
        let found = tensor.dtype();
        if found == expected {
            return Ok(());
        }
        Err(Self::Type { what, found: found.as_str(), expected: expected.as_str() })
    }

    pub(crate) fn shape(what: &'static str, found: &[usize], expected: &[usize]) -> Self {
        Self::Shape { what, found: found.to_vec(), expected: expected.to_vec() }
    }
}
