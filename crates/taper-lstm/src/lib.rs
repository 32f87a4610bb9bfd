#![doc = include_str!("../README.md")]

mod cell;
mod classifier;
mod config;
mod device;
mod dropout;
mod embedding;
mod error;
mod frozen;
mod gru;
mod init;
mod kernel;
mod layers;
mod lstm;
mod packed;
mod pooling;
mod random;
mod rnn;
mod tape;
mod trace;
pub mod weights;

/// What a training loop on a CUDA device needs beside the layers.
#[cfg(feature = "cuda")]
pub mod cuda {
    pub use crate::kernel::cuda::{AdamGradient, AdamStep, adam_step};
}

pub use cell::LstmCell;
pub use classifier::{
    Classifier, ClassifierConfig, ClassifierGradients, TokenBatch, TrainingOutput,
};
pub use config::{Activations, LstmConfig, Precision, RecurrentConfig};
pub use device::cuda_device;
pub use dropout::{Dropout, Mode};
pub use embedding::{Embedding, RowGradient};
pub use error::{Error, Result};
pub use frozen::{FrozenClassifier, Quantization};
pub use gru::Gru;
pub use init::Parameters;
pub use lstm::{Lstm, LstmState};
pub use packed::{PackedSequence, Packing};
pub use pooling::Pooling;
pub use random::Philox;
pub use rnn::{Nonlinearity, Rnn};
pub use trace::{DirectionTrace, GradientNorms, LstmTrace};
