//! What all requests share.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::error::Result;
use crate::metrics::Metrics;
use crate::models::{Models, Served};
use crate::options::{Limits, Options};
use crate::problem::Problem;

/// Models, limits, counters, and what is left of the limits.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) models: Models,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    /// A permit a request in hand.
    pub(crate) requests: Arc<Semaphore>,
    /// A permit an inspection in hand.
    pub(crate) inspections: Arc<Semaphore>,
    /// One: whose inspection runs.
    pub(crate) inspecting: Arc<Semaphore>,
    /// Whether the server is to end.
    pub(crate) stop: watch::Sender<bool>,
}

/// As many permits as a limit asks for, or as there can be: beyond, nobody counts.
pub(crate) fn permits(limit: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)))
}

impl App {
    pub(crate) fn open(options: &Options) -> Result<Self> {
        let names = options.models.iter().map(|source| source.name.as_str());
        let metrics = Arc::new(Metrics::new(names));
        let models = Models::open(options, &metrics)?;
        Ok(Self::new(models, options.limits.clone(), metrics))
    }

    pub(crate) fn new(models: Models, limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            models,
            requests: permits(limits.requests),
            inspections: permits(limits.inspections),
            inspecting: permits(1),
            stop: watch::Sender::new(false),
            limits,
            metrics,
        }
    }

    /// The model that a request names.
    pub(crate) fn model(&self, name: Option<&str>) -> Result<&Served, Problem> {
        self.models.find(name).ok_or_else(|| {
            let message =
                format!("there is no model of this name; there are: {}", self.models.names());
            Problem::unprocessable("unknown_model", message)
        })
    }
}
