//! LSTM layers on candle as fast, fused, differentiable operations over packed sequences, and the
//! text classifier built on them.
//!
//! - [`PackedSequence`]: ragged batches without padding, as PyTorch packs them;
//! - [`Lstm`], [`LstmCell`]: PyTorch's parameters, names, initialisation and results;
//! - [`Classifier`]: embedding, LSTM, [`Pooling`], linear, with a row-sparse embedding gradient;
//! - [`Parameters`], [`Philox`]: weights and dropout as functions of a seed.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use taper_lstm::{Lstm, LstmConfig, Mode, PackedSequence, Parameters};
//!
//! let parameters = Parameters::new(1);
//! let config = LstmConfig { bidirectional: true, ..LstmConfig::new(3, 4) };
//! let lstm = Lstm::new(&config, parameters.var_builder(DType::F32, &Device::Cpu))?;
//!
//! // Two sequences of 5 and 2 steps, three features a step.
//! let padded = Tensor::ones((2, 5, 3), DType::F32, &Device::Cpu)?;
//! let input = PackedSequence::pack_padded(&padded, &[5, 2])?;
//! let (output, state) = lstm.forward(&input, None, Mode::Evaluate)?;
//! assert_eq!(output.data().dims(), [7, 8]);
//! assert_eq!(state.h.dims(), [2, 2, 4]);
//! # Ok::<(), taper_lstm::Error>(())
//! ```

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
