//! Texts to classes, with a model directory and nothing else: a few at once, or a stream of any length.

mod stream;
mod write;

use std::path::Path;

use candle_core::{DType, Device};
use rayon::prelude::*;
use serde::Serialize;
use taper_lstm::Quantization;
use taper_text::Tokenizer;

pub use stream::Predictions;
pub use write::{OutputFormat, PredictionWriter};

use crate::batch::sorted_batches;
use crate::inference::Inference;
use crate::loss::{labels_of, largest, probabilities, probability};
use crate::model::{Model, ModelConfig};
use crate::{Error, Result};

/// Texts the model reads at a time.
const BATCH_SIZE: usize = 32;

/// Tokens read at a time on all cores. Batches of short texts are read side by side; a batch of long texts reaches
/// this alone, and the cores share it. Either way the gates of no more tokens than this are in memory.
const TOKENS: usize = 1 << 15;

/// What the model says of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The text.
    pub text: String,
    /// Name of the most probable class. Where a text may have several labels, of the most probable one, whether the text
    /// is given it or not.
    pub label: String,
    /// Its probability.
    pub probability: f32,
    /// Where a text may have several labels: names of those whose probability reaches the model's threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Probability of every class by name, in the order of the classes.
    #[serde(serialize_with = "as_map")]
    pub probabilities: Vec<(String, f32)>,
    /// Tokens of the text.
    pub tokens: usize,
    /// Tokens that the vocabulary does not have.
    pub unknown_tokens: usize,
    /// Whether the text was longer than the model reads.
    pub truncated: bool,
}

fn as_map<S: serde::Serializer>(pairs: &[(String, f32)], out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(pairs.iter().map(|(name, probability)| (name, probability)))
}

/// A model ready to predict.
#[derive(Debug, Clone)]
pub struct Predictor {
    config: ModelConfig,
    inference: Inference,
    tokenizer: Tokenizer,
}

impl Predictor {
    /// Opens a model directory, or a run's folder.
    pub fn open(directory: &Path, device: &Device, quantization: Quantization) -> Result<Self> {
        let (model, tokenizer) = Model::open(directory, device)?;
        Self::new(&model, tokenizer, quantization)
    }

    /// Freezes a model; `tokenizer` is the one its ids are from.
    pub fn new(model: &Model, tokenizer: Tokenizer, quantization: Quantization) -> Result<Self> {
        let inference = Inference::new(model, quantization)?;
        Ok(Self { config: model.config.clone(), inference, tokenizer })
    }

    /// The model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Predicts every text, in order, at the model's temperature. A text without tokens reads as one unknown word.
    pub fn predict(&self, texts: &[impl AsRef<str> + Sync]) -> Result<Vec<Prediction>> {
        let encoded = self.tokenizer.encode_all(texts)?;
        let view = self.inference.view();
        let lengths: Vec<usize> = encoded.iter().map(|ids| view.tokens(ids).len()).collect();
        let batches = sorted_batches(&lengths, BATCH_SIZE);
        let read = |batch: &Vec<usize>| -> Result<Vec<Said>> {
            let ids: Vec<&[u32]> = batch.iter().map(|&row| encoded[row].as_slice()).collect();
            let mut logits = self.inference.logits(&view.batch(&ids)?)?;
            if let Some(threshold) = self.config.threshold {
                let rows = logits.to_dtype(DType::F32)?.to_vec2::<f32>()?;
                return Ok(rows.iter().map(|row| Said::of_labels(row, threshold)).collect());
            }
            if let Some(temperature) = self.config.temperature {
                logits = (logits / temperature)?;
            }
            let of_class = |probabilities| Said { probabilities, labels: None };
            Ok(probabilities(&logits)?.into_iter().map(of_class).collect())
        };
        let mut predictions = vec![None; texts.len()];
        for group in groups(&batches, &lengths, self.inference.is_frozen()) {
            let read: Vec<_> = group.par_iter().map(read).collect::<Result<_>>()?;
            for (&row, said) in group.iter().flatten().zip(read.iter().flatten()) {
                predictions[row] = Some(self.prediction(texts[row].as_ref(), &encoded[row], said));
            }
        }
        Ok(predictions.into_iter().flatten().collect())
    }

    /// Predicts a stream of texts, in order; what `texts` gives comes back beside its prediction. Memory does not
    /// grow with the stream: a few thousand texts are in hand at a time, sorted by length, on all cores.
    ///
    /// The first error ends the stream, after the predictions of all texts before it.
    ///
    /// ```no_run
    /// # use std::path::Path;
    /// # use taper_train::{Error, Predictor};
    /// # fn f(predictor: &Predictor) -> Result<(), Error> {
    /// let texts = taper_corpus::Texts::open(Path::new("reviews.jsonl"), &Default::default())?;
    /// for prediction in predictor.predict_stream(texts) {
    ///     let (text, prediction) = prediction?;
    ///     println!("{}: {}", text.row, prediction.label);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn predict_stream<I, T, E>(&self, texts: I) -> Predictions<'_, I::IntoIter, T>
    where
        I: IntoIterator<Item = Result<T, E>>,
        T: AsRef<str> + Sync,
        Error: From<E>,
    {
        Predictions::new(self, texts.into_iter())
    }

    fn prediction(&self, text: &str, ids: &[u32], said: &Said) -> Prediction {
        let Said { probabilities, labels } = said;
        let names = &self.config.class_names;
        let named = |labels: &Vec<u32>| {
            labels.iter().filter_map(|&label| names.get(label as usize).cloned()).collect()
        };
        let best = largest(probabilities) as usize;
        Prediction {
            text: text.to_owned(),
            label: names[best].clone(),
            probability: probabilities[best],
            labels: labels.as_ref().map(named),
            probabilities: names.iter().cloned().zip(probabilities.iter().copied()).collect(),
            tokens: ids.len(),
            unknown_tokens: ids
                .iter()
                .filter(|&&id| self.config.specials.unknown == Some(id))
                .count(),
            truncated: self.config.max_length.is_some_and(|max| ids.len() > max),
        }
    }
}

/// What the model gives a text.
struct Said {
    /// Of every class, or of every label.
    probabilities: Vec<f32>,
    labels: Option<Vec<u32>>,
}

impl Said {
    fn of_labels(logits: &[f32], threshold: f64) -> Self {
        Self {
            probabilities: logits.iter().map(|logit| probability(*logit) as f32).collect(),
            labels: Some(labels_of(logits, threshold)),
        }
    }
}

/// Batches that are read side by side: [`TOKENS`] in all, or one batch alone.
fn groups<'a>(batches: &'a [Vec<usize>], lengths: &[usize], on_cpu: bool) -> Vec<&'a [Vec<usize>]> {
    let tokens = |batch: &Vec<usize>| batch.iter().map(|&row| lengths[row]).sum::<usize>();
    let (mut groups, mut start, mut total) = (Vec::new(), 0, 0);
    for (at, batch) in batches.iter().enumerate() {
        let tokens = tokens(batch);
        if at > start && (!on_cpu || total + tokens > TOKENS) {
            groups.push(&batches[start..at]);
            (start, total) = (at, 0);
        }
        total += tokens;
    }
    if start < batches.len() {
        groups.push(&batches[start..]);
    }
    groups
}

#[cfg(test)]
mod tests;
