//! Texts to classes, with a model directory and nothing else.

use std::path::Path;

use candle_core::Device;
use serde::Serialize;
use taper_lstm::Quantization;
use taper_text::{Tokenizer, Vocabulary};

use crate::Result;
use crate::batch::sorted_batches;
use crate::inference::Inference;
use crate::loss::{largest, probabilities};
use crate::model::{Model, ModelConfig};

/// Texts the model reads at a time.
const BATCH_SIZE: usize = 32;

/// What the model says of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The text.
    pub text: String,
    /// Name of the most probable class.
    pub label: String,
    /// Its probability.
    pub probability: f32,
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
        let inference = Inference::new(&model, quantization)?;
        Ok(Self { config: model.config, inference, tokenizer })
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
        let mut predictions = vec![None; texts.len()];
        for batch in sorted_batches(&lengths, BATCH_SIZE) {
            let ids: Vec<&[u32]> = batch.iter().map(|&row| encoded[row].as_slice()).collect();
            let mut logits = self.inference.logits(&view.batch(&ids)?)?;
            if let Some(temperature) = self.config.temperature {
                logits = (logits / temperature)?;
            }
            for (&row, probabilities) in batch.iter().zip(probabilities(&logits)?) {
                predictions[row] =
                    Some(self.prediction(texts[row].as_ref(), &encoded[row], &probabilities));
            }
        }
        Ok(predictions.into_iter().flatten().collect())
    }

    fn prediction(&self, text: &str, ids: &[u32], probabilities: &[f32]) -> Prediction {
        let names = &self.config.class_names;
        let best = largest(probabilities) as usize;
        Prediction {
            text: text.to_owned(),
            label: names[best].clone(),
            probability: probabilities[best],
            probabilities: names.iter().cloned().zip(probabilities.iter().copied()).collect(),
            tokens: ids.len(),
            unknown_tokens: ids.iter().filter(|&&id| id == Vocabulary::UNKNOWN).count(),
            truncated: self.config.max_length.is_some_and(|max| ids.len() > max),
        }
    }
}
