//! Probabilities that mean what they say: a temperature fitted on validation, kept with the model.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::artifacts::Prepared;
use crate::evaluate::score;
use crate::inference::Inference;
use crate::metrics::{Scores, brier, calibration_error, fit_temperature, log_loss};
use crate::model::ModelConfig;

/// The split a temperature is fitted on: never the test split, which is to judge it.
pub const VALIDATION: &str = "validation";

/// How well probabilities fit what happened; `None` where one is not finite. [`crate::metrics`] defines them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// In nats.
    pub log_loss: Option<f64>,
    /// Squared.
    pub brier: Option<f64>,
    /// Expected.
    pub calibration_error: Option<f64>,
}

impl Fit {
    /// Of these probabilities.
    pub fn of(scores: &Scores) -> Self {
        Self {
            log_loss: log_loss(scores),
            brier: brier(scores),
            calibration_error: calibration_error(scores),
        }
    }
}

/// What [`calibrate()`] did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Labelled rows of the validation split; 0 where there is none.
    pub rows: usize,
    /// What the model's logits are divided by now; `None` where there was nothing to fit it on, or none fits.
    pub temperature: Option<f64>,
    /// On validation, without a temperature.
    pub before: Option<Fit>,
    /// On validation, with it.
    pub after: Option<Fit>,
}

/// Fits the temperature of a model (in f32) on the validation split and writes it to `config.json` in `folder`. Weights and
/// predicted classes stay as they are. Without a labelled validation split there is no temperature, nor where a text may
/// have several labels.
///
/// `progress` is that of [`evaluate`](crate::evaluate()).
///
/// # Errors
/// Those of reading and writing, and [data that are not the model's](ModelConfig::check_data). `None` where `progress` stopped it: then nothing is written.
pub fn calibrate(
    folder: &Path,
    model: &Inference,
    prepared: &Prepared,
    batch_size: usize,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Calibration>> {
    let config = ModelConfig::read(folder)?;
    config.check_data(prepared)?;
    let mut done = Calibration { rows: 0, temperature: None, before: None, after: None };
    let split = prepared.manifest().splits.get(VALIDATION);
    let labelled = split.is_some_and(|split| split.unlabelled < split.rows);
    if labelled && model.threshold().is_none() {
        let encoded = prepared.encoded(VALIDATION)?;
        let found = score(model, &encoded, VALIDATION, batch_size, progress)?;
        let Some((_, scored)) = found else { return Ok(None) };
        let temperature = fit_temperature(&scored.logits, &scored.labels(), scored.classes);
        done = Calibration {
            rows: scored.rows.len(),
            temperature,
            before: Some(Fit::of(&scored.scores(None)?)),
            after: Some(Fit::of(&scored.scores(temperature)?)),
        };
    }
    if config.temperature != done.temperature {
        ModelConfig { temperature: done.temperature, ..config }.write(folder)?;
    }
    Ok(Some(done))
}
