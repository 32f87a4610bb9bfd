//! Recipes, preparation and training of LSTM text classifiers: the one crate that sees texts, tokens and tensors.
//!
//! - [`recipe`]: what to train, on what and how, as TOML;
//! - [`prepare`]: raw texts to token ids on disk, stage by stage, each skipped while it is up to date;
//! - [`artifacts`]: typed readers of what [`prepare`] wrote;
//! - [`manifest`]: what a prepared folder says about itself.

pub mod artifacts;
pub mod manifest;
pub mod prepare;
pub mod recipe;

mod atomic;
mod error;
mod fingerprint;

pub use artifacts::Prepared;
pub use error::{Error, Result};
pub use prepare::prepare;
pub use recipe::Recipe;
