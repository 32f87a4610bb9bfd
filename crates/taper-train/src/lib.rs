#![doc = include_str!("../README.md")]
//!
//! - [`recipe`]: what to train, on what and how, as TOML;
//! - [`prepare`](mod@prepare): raw texts to token ids on disk, stage by stage, each skipped while it is up to date;
//! - [`artifacts`]: typed readers of what [`prepare`](mod@prepare) wrote;
//! - [`manifest`]: what a prepared folder says about itself;
//! - [`doctor`]: what is wrong with prepared data; [`trace`](trace()): how one row became what it is;
//! - [`schedule`], [`stopping`]: the learning rate over a run, and when to end it;
//! - [`train`](train()): the loop, over a [`Run`]'s folder with its [`checkpoint`]s, telling [`TrainEvent`]s;
//! - [`Inference`], [`evaluate`](evaluate()) and [`Predictor`]: what a model directory is good for;
//! - [`metrics`], [`assess`](assess()), [`calibrate`](calibrate()), [`compare`](compare()): how good, how sure, how much better.

pub mod artifacts;
pub mod assess;
pub mod batch;
pub mod calibrate;
pub mod checkpoint;
pub mod compare;
pub mod doctor;
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
mod find_rate;
mod fingerprint;
mod inference;
mod lock;
mod predict;
mod run;
mod trace;
mod train;

pub use artifacts::Prepared;
pub use assess::{Assessment, assess};
pub use calibrate::{Calibration, calibrate};
pub use compare::{Comparison, Contender, compare};
pub use device::DeviceChoice;
pub use error::{Error, Result};
pub use evaluate::{Evaluation, Scored, ScoredRow, evaluate, score};
pub use events::TrainEvent;
pub use find_rate::{RatePoint, RateRange, RateTrial, find_rate};
pub use inference::Inference;
pub use model::Model;
pub use predict::{Prediction, Predictor};
pub use prepare::prepare;
pub use recipe::Recipe;
pub use run::{PreparedReference, Run};
pub use taper_lstm::Quantization;
pub use trace::{Trace, TracedToken, trace};
pub use train::{Outcome, Summary, train};
