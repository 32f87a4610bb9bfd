#![doc = include_str!("../README.md")]

mod accept;
mod app;
mod body;
mod connections;
mod error;
mod inspect;
mod metrics;
mod models;
mod options;
mod predict;
mod problem;
mod queue;
mod routes;
mod server;
mod signals;

pub use error::{Error, Result};
pub use options::{Limits, ModelSource, Options};
pub use server::{Handle, Server};
