#![doc = include_str!("../README.md")]
//!
//! - [`recipe`]: what to train, on what and how, as TOML;
//! - [`prepare`](mod@prepare): raw texts to token ids on disk, stage by stage, each skipped while it is up to date;
//! - [`artifacts`]: typed readers of what [`prepare`](mod@prepare) wrote;
//! - [`manifest`]: what a prepared folder says about itself;
//! - [`doctor`]: what is wrong with prepared data; [`trace`](trace()): how one row became what it is;
//! - [`train`](train()): the loop, over a [`Run`]'s folder with its [`checkpoint`]s, telling [`TrainEvent`]s;
//! - [`inspect`]: the gates, the memory and what a prediction rests on, as figures and as a page;
//! - [`Inference`], [`evaluate`](evaluate()) and [`Predictor`]: what a model directory is good for.

pub mod artifacts;
pub mod batch;
pub mod checkpoint;
pub mod doctor;
pub mod gradients;
pub mod inspect;
pub mod loss;
pub mod manifest;
pub mod metrics;
pub mod model;
pub mod optimizer;
pub mod prepare;
pub mod recipe;
pub mod step;

mod atomic;
mod card;
mod device;
mod error;
mod evaluate;
mod events;
mod fingerprint;
mod inference;
mod lock;
mod predict;
mod run;
mod trace;
mod train;

pub use artifacts::Prepared;
pub use device::DeviceChoice;
pub use error::{Error, Result};
pub use evaluate::{Evaluation, evaluate};
pub use events::TrainEvent;
pub use inference::Inference;
pub use model::Model;
pub use predict::{Prediction, Predictor};
pub use prepare::prepare;
pub use recipe::Recipe;
pub use run::{PreparedReference, Run};
pub use taper_lstm::Quantization;
pub use trace::{Trace, TracedToken, trace};
pub use train::{Outcome, Summary, train};
