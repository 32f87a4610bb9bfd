//! What Prometheus is told: requests, latencies, texts, batches, the queues.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// How what is counted is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' own, which whatever reads metrics reads.
    Text,
    /// Its successor, which names counters without their `_total`: to whoever does not know it, they have no type.
    OpenMetrics,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Bounds of latencies, in seconds.
const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Bounds of batches, in texts.
const TEXTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// A request's route (as it is written in the router, never as it was asked for) and the status it got.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Model {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    model: String,
    outcome: &'static str,
}

impl Reload {
    fn new(model: &str, ok: bool) -> Self {
        Self { model: model.to_owned(), outcome: if ok { "done" } else { "failed" } }
    }
}

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram>,
    texts: Family<Model, Counter>,
    batches: Family<Model, Histogram>,
    queued: Family<Model, Gauge>,
    reloads: Family<Reload, Counter>,
    /// Connections held now.
    pub(crate) connections: Gauge,
}

impl Metrics {
    /// Counters of these models, from zero: what has not happened yet can be told from what is not counted.
    pub(crate) fn new<'a>(models: impl IntoIterator<Item = &'a str>) -> Self {
        let mut registry = Registry::with_prefix("taper");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What answers", build);
        let requests = Family::default();
        registry.register("requests", "Requests answered", requests.clone());
        let seconds = Family::<Route, Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let about = "From a request's head to its answer's head";
        registry.register_with_unit("request_duration", about, Unit::Seconds, seconds.clone());
        let texts = Family::default();
        registry.register("texts", "Texts predicted", texts.clone());
        let batches = Family::<Model, Histogram>::new_with_constructor(|| Histogram::new(TEXTS));
        registry.register("batch_texts", "Texts read together", batches.clone());
        let queued = Family::default();
        registry.register("queue_texts", "Texts waiting or being read", queued.clone());
        let reloads = Family::default();
        registry.register("reloads", "Models loaded again", reloads.clone());
        let connections = Gauge::default();
        registry.register("connections", "Connections held", connections.clone());
        let metrics =
            Self { registry, requests, seconds, texts, batches, queued, reloads, connections };
        for name in models {
            let model = Model { model: name.to_owned() };
            drop(metrics.texts.get_or_create(&model));
            drop(metrics.batches.get_or_create(&model));
            for ok in [true, false] {
                drop(metrics.reloads.get_or_create(&Reload::new(name, ok)));
            }
        }
        metrics
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.requests.get_or_create(&Request { route: route.clone(), status }).inc();
        self.seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
    }

    /// A model reads this many texts together.
    pub(crate) fn batch(&self, model: &str, texts: usize) {
        let model = Model { model: model.to_owned() };
        self.texts.get_or_create(&model).inc_by(texts as u64);
        self.batches.get_or_create(&model).observe(texts as f64);
    }

    /// A model has this many texts in hand.
    pub(crate) fn queued(&self, model: &str, texts: usize) {
        self.queued.get_or_create(&Model { model: model.to_owned() }).set(texts as i64);
    }

    /// A model was loaded again, or was not.
    pub(crate) fn reloaded(&self, model: &str, ok: bool) {
        self.reloads.get_or_create(&Reload::new(model, ok)).inc();
    }

    /// All of it, as text. `None` if it cannot be written, which a `String` never refuses.
    pub(crate) fn text(&self, format: Format) -> Option<String> {
        let mut out = String::new();
        match format {
            Format::Text => prometheus_text::encode(&mut out, &self.registry).ok()?,
            Format::OpenMetrics => text::encode(&mut out, &self.registry).ok()?,
        }
        Some(out)
    }
}
