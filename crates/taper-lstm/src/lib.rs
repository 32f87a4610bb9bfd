#![doc = include_str!("../README.md")]

mod cell;
mod classifier;
mod config;
mod dropout;
mod embedding;
mod error;
mod init;
mod kernel;
mod lstm;
mod packed;
mod pooling;
mod random;
pub mod weights;

pub use cell::LstmCell;
pub use classifier::{Classifier, ClassifierConfig, TokenBatch, TrainingOutput};
pub use config::LstmConfig;
pub use dropout::{Dropout, Mode};
pub use embedding::{Embedded, Embedding, RowGradient};
pub use error::{Error, Result};
pub use init::Parameters;
pub use lstm::{Lstm, LstmState};
pub use packed::{PackedSequence, Packing};
pub use pooling::Pooling;
pub use random::Philox;
