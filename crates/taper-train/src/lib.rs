#![doc = include_str!("../README.md")]
//!
//! - [`recipe`]: what to train, on what and how, as TOML;
//! - [`prepare`](mod@prepare): raw texts to token ids on disk, stage by stage, each skipped while it is up to date;
//! - [`artifacts`]: typed readers of what [`prepare`](mod@prepare) wrote;
//! - [`manifest`]: what a prepared folder says about itself;
//! - [`doctor`]: what is wrong with prepared data; [`trace`](trace()): how one row became what it is;
//! - [`schedule`], [`stopping`]: the learning rate over a run, and when to end it;
//! - [`train`](train()): the loop, over a [`Run`]'s folder with its [`checkpoint`]s, telling [`TrainEvent`]s;
//! - [`Inference`], [`evaluate`](evaluate()) and [`Predictor`]: what a model directory is good for.

pub mod artifacts;
pub mod batch;
pub mod checkpoint;
pub mod doctor;
pub mod dynamics;
pub mod gradients;
pub mod loss;
pub mod manifest;
pub mod metrics;
pub mod model;
pub mod optimizer;
pub mod prepare;
pub mod recipe;
pub mod schedule;
pub mod step;
pub mod stopping;

mod atomic;
mod average;
mod card;
mod device;
mod error;
mod evaluate;
mod events;
mod fingerprint;
mod history;
mod html;
mod inference;
mod lock;
mod plot;
mod predict;
mod run;
mod session;
mod tensorboard;
mod trace;
mod train;

pub use artifacts::Prepared;
pub use device::DeviceChoice;
pub use error::{Error, Result};
pub use evaluate::{Evaluation, evaluate};
pub use events::TrainEvent;
pub use history::history;
pub use inference::Inference;
pub use model::Model;
pub use predict::{Prediction, Predictor};
pub use prepare::prepare;
pub use recipe::Recipe;
pub use run::{PreparedReference, Run};
pub use session::Session;
pub use taper_lstm::Quantization;
pub use trace::{Trace, TracedToken, trace};
pub use train::{Outcome, Summary, train};
