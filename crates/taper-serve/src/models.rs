//! The models by name: opened once, answered from by one queue each, swapped whole when they are loaded again.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use taper_train::inspect::Inspector;
use taper_train::{DeviceChoice, Model, Predictor, Quantization};

use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::options::{ModelSource, Options};
use crate::queue::Queue;

/// A model as it was on disk at one moment.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) predictor: Predictor,
    pub(crate) inspector: Inspector,
}

/// What is said of a model.
#[derive(Debug, Serialize)]
pub(crate) struct About<'a> {
    name: &'a str,
    default: bool,
    classes: Vec<String>,
    multi_label: bool,
    calibrated: bool,
    max_length: Option<usize>,
    weights_blake3: Option<String>,
}

/// A name, the model behind it now, and the queue in front.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) queue: Queue,
    source: ModelSource,
    slot: Arc<Slot>,
}

/// Where a model is swapped: who reads it keeps what it has read.
#[derive(Debug)]
struct Slot(RwLock<Arc<Loaded>>);

impl Slot {
    fn get(&self) -> Arc<Loaded> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, loaded: Loaded) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
    }
}

/// All models.
#[derive(Debug)]
pub(crate) struct Models {
    served: Vec<Served>,
    device: DeviceChoice,
    quantization: Quantization,
    metrics: Arc<Metrics>,
}

impl Models {
    /// Opens every model and starts its queue.
    pub(crate) fn open(options: &Options, metrics: &Arc<Metrics>) -> Result<Self> {
        let mut names = BTreeSet::new();
        if let Some(twice) = options.models.iter().find(|source| !names.insert(&source.name)) {
            let name = &twice.name;
            return Err(Error::Models(format!(
                "two models are called `{name}`; give other names: NAME=RUN"
            )));
        }
        if options.models.is_empty() {
            return Err(Error::Models("there is no model to serve".into()));
        }
        let mut models = Self {
            served: Vec::new(),
            device: options.device,
            quantization: options.quantization,
            metrics: Arc::clone(metrics),
        };
        for source in &options.models {
            let slot = Arc::new(Slot(RwLock::new(Arc::new(models.load(source)?))));
            let name = source.name.clone();
            let predict = {
                let slot = Arc::clone(&slot);
                move |texts: &[&str]| {
                    slot.get().predictor.predict(texts).map_err(|error| error.to_string())
                }
            };
            let seen = {
                let (name, metrics) = (name.clone(), Arc::clone(metrics));
                move |texts| metrics.batch(&name, texts)
            };
            let queue =
                Queue::start(&name, &options.limits, predict, seen).map_err(Error::Start)?;
            models.served.push(Served { name, queue, source: source.clone(), slot });
        }
        Ok(models)
    }

    /// None at all: for what can be tested without.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            served: Vec::new(),
            device: DeviceChoice::Cpu,
            quantization: Quantization::F32,
            metrics: Arc::new(Metrics::new([])),
        }
    }

    fn load(&self, source: &ModelSource) -> Result<Loaded> {
        let device = self.device.open().map_err(|error| Error::Device(Box::new(error)))?;
        let refused = |error| Error::Model { name: source.name.clone(), source: Box::new(error) };
        let (model, tokenizer) = Model::open(&source.path, &device).map_err(refused)?;
        let predictor = Predictor::new(&model, tokenizer.clone(), self.quantization);
        let predictor = predictor.map_err(refused)?;
        Ok(Loaded { predictor, inspector: Inspector::new(model, tokenizer) })
    }

    /// The model of this name; the first, if a request names none.
    pub(crate) fn find(&self, name: Option<&str>) -> Option<&Served> {
        match name {
            Some(name) => self.served.iter().find(|served| served.name == name),
            None => self.served.first(),
        }
    }

    /// All names, comma by comma.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.served.iter().map(|served| served.name.as_str()).collect();
        names.join(", ")
    }

    /// All of them, in the order given.
    pub(crate) fn about<'a>(&'a self) -> Vec<About<'a>> {
        let about = |(at, served): (usize, &'a Served)| {
            let config = served.loaded().predictor.config().clone();
            About {
                name: &served.name,
                default: at == 0,
                classes: config.class_names,
                multi_label: config.threshold.is_some(),
                calibrated: config.temperature.is_some(),
                max_length: config.max_length,
                weights_blake3: config.weights_blake3,
            }
        };
        self.served.iter().enumerate().map(about).collect()
    }

    /// Tells the metrics how long the queues are.
    pub(crate) fn measure(&self) {
        for served in &self.served {
            self.metrics.queued(&served.name, served.queue.texts());
        }
    }

    /// Loads every model again from where it is. One that cannot be opened stays as it is.
    pub(crate) fn reload(&self) -> Vec<(String, Result<()>)> {
        let reload = |served: &Served| {
            let result = self.load(&served.source).map(|loaded| served.slot.set(loaded));
            self.metrics.reloaded(&served.name, result.is_ok());
            match &result {
                Ok(()) => tracing::info!(model = served.name, "reloaded"),
                Err(error) => {
                    tracing::error!(model = served.name, %error, "not reloaded; the old one stays");
                }
            }
            (served.name.clone(), result)
        };
        self.served.iter().map(reload).collect()
    }
}

impl Served {
    /// The model as it is now.
    pub(crate) fn loaded(&self) -> Arc<Loaded> {
        self.slot.get()
    }
}
