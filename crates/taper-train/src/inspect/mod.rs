//! A model seen from inside while it reads a text: what each token adds to the prediction, and what becomes of
//! it in the memory.

mod behaviour;
mod document;
mod export;
mod html;
mod memory;
#[cfg(test)]
mod tests;

use std::path::Path;

use candle_core::Device;
use taper_explain::{
    Accuracy, Integrated, Steps, Survival, Target, adaptive_integrated_gradients_while,
    gradient_norms, gradient_x_input, occlusion,
};
use taper_lstm::{PackedSequence, TokenBatch};
use taper_text::Tokenizer;

use crate::loss::{labels_of, largest, probabilities, probability};
use crate::model::Model;
use crate::{Prepared, Result};

pub use behaviour::{DirectionBehaviour, Gates, SplitBehaviour, TokenBehaviour};
pub use document::{
    Completeness, CompositionRows, Cut, DirectionMemory, Heat, InspectedModel, InspectedPrediction,
    InspectedRow, InspectedTarget, InspectedText, InspectedToken, Inspection, MAX_TOKENS, Method,
    Shares, TokenColumns,
};
pub use export::export;
pub use html::{page, write_page};

/// A text to inspect, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The text.
    pub text: String,
    /// Its row, if it is one of prepared data.
    pub row: Option<InspectedRow>,
}

impl Subject {
    /// The row that `row` names as `SPLIT:ID`, or as `SPLIT:N` by its place from 0.
    ///
    /// # Errors
    /// As [`crate::trace()`].
    pub fn of_row(prepared: &Prepared, row: &str) -> Result<Self> {
        let crate::Trace { split, id, label, text, .. } = crate::trace(prepared, row)?;
        Ok(Self { text, row: Some(InspectedRow { split, id, label }) })
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Self { text, row: None }
    }
}

/// A model ready to be looked into.
#[derive(Debug, Clone)]
pub struct Inspector {
    model: Model,
    tokenizer: Tokenizer,
}

impl Inspector {
    /// Opens a model directory, or a run's folder.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open(directory: &Path, device: &Device) -> Result<Self> {
        let (model, tokenizer) = Model::open(directory, device)?;
        Ok(Self { model, tokenizer })
    }

    /// Looks into a model; `tokenizer` is the one its ids are from.
    pub fn new(model: Model, tokenizer: Tokenizer) -> Self {
        Self { model, tokenizer }
    }

    /// Inspects what the model reads of every text, and of that the first [`MAX_TOKENS`]; a text without tokens reads as
    /// one unknown word.
    ///
    /// # Errors
    /// A model that computes NaN, a tokenizer without a vocabulary.
    pub fn inspect(&self, subjects: &[Subject], method: Method) -> Result<Inspection> {
        self.inspect_while(subjects, method, &|| true)
    }

    /// Inspects as long as `go_on` says that an answer is wanted; it is asked before every text and, within one, before
    /// every pass of integrated gradients over it.
    ///
    /// # Errors
    /// As [`Inspector::inspect`]; [`taper_explain::Error::Stopped`] once `go_on` is false.
    pub fn inspect_while(
        &self,
        subjects: &[Subject],
        method: Method,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Inspection> {
        let (config, lstm) = (&self.model.config, self.model.classifier.lstm().config());
        Ok(Inspection {
            format: Inspection::FORMAT,
            taper: env!("CARGO_PKG_VERSION").into(),
            model: InspectedModel {
                class_names: config.class_names.clone(),
                num_layers: lstm.num_layers,
                directions: lstm.num_directions(),
                hidden_size: lstm.hidden_size,
                pooling: config.model.pooling,
            },
            method,
            texts: subjects
                .iter()
                .map(|subject| self.text(subject, method, go_on))
                .collect::<Result<_>>()?,
        })
    }

    /// What the gates do over all texts of a split of prepared data, token by token; of longer texts, over the head that
    /// [`Inspector::inspect`] reads.
    ///
    /// # Errors
    /// No such split, tokens that are not this model's, a model that computes NaN.
    pub fn behaviour(&self, prepared: &Prepared, split: &str) -> Result<SplitBehaviour> {
        let encoded = prepared.encoded(split)?;
        behaviour::split_behaviour(&self.model, &self.tokenizer, split, &encoded)
    }

    fn text(
        &self,
        Subject { text, row }: &Subject,
        method: Method,
        go_on: &dyn Fn() -> bool,
    ) -> Result<InspectedText> {
        if !go_on() {
            return Err(taper_explain::Error::Stopped.into());
        }
        let (config, classifier) = (&self.model.config, &self.model.classifier);
        let encoded = self.tokenizer.encode(text)?;
        let view = config.view();
        let read = view.tokens(&encoded);
        let ids = &read[..read.len().min(MAX_TOKENS)];
        let cut = match ids.len() {
            len if len >= encoded.len() => None,
            len if len < read.len() => Some(Cut::Inspection),
            _ => Some(Cut::Model),
        };

        let batch = TokenBatch::new(&[ids])?;
        let logits = (classifier.forward(&batch)? / config.temperature.unwrap_or(1.0))?;
        let names = &config.class_names;
        let (probabilities, labels, target, explained) = if let Some(threshold) = config.threshold {
            let logits = logits.flatten_all()?.to_vec1::<f32>()?;
            let probabilities: Vec<f32> =
                logits.iter().map(|logit| probability(*logit) as f32).collect();
            let best = largest(&logits) as usize;
            let toward = names[best].clone();
            let away = format!("not {toward}");
            let labels = labels_of(&logits, threshold).into_iter();
            let labels = labels.map(|label| names[label as usize].clone()).collect();
            (probabilities, Some(labels), Target::Logit(best), InspectedTarget { toward, away })
        } else {
            let probabilities = probabilities(&logits)?.concat();
            let (target, toward, away) = target(&probabilities);
            let [toward, away] = [toward, away].map(|class| names[class].clone());
            (probabilities, None, target, InspectedTarget { toward, away })
        };
        let Integrated { attribution, steps, jumps } =
            self.attribution(ids, target, method, go_on)?;
        let error = attribution.completeness_error();
        let best = largest(&probabilities) as usize;
        Ok(InspectedText {
            row: row.clone(),
            text: text.clone(),
            prediction: InspectedPrediction {
                label: names[best].clone(),
                probability: probabilities[best],
                labels,
                probabilities,
            },
            tokens_in_text: encoded.len(),
            cut,
            target: explained,
            completeness: Completeness {
                value: attribution.value,
                baseline: attribution.baseline,
                sum: attribution.tokens.iter().sum(),
                error: error.is_finite().then_some(error),
                steps,
                jumps: jumps.is_finite().then_some(jumps),
            },
            tokens: self.tokens(text, ids, &attribution)?,
            memory: self.memory(&batch, target)?,
        })
    }

    fn attribution(
        &self,
        ids: &[u32],
        target: Target,
        method: Method,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Integrated> {
        let classifier = &self.model.classifier;
        let attribution = match method {
            Method::IntegratedGradients => {
                let accuracy = Accuracy::default();
                return Ok(adaptive_integrated_gradients_while(
                    classifier, ids, target, accuracy, go_on,
                )?);
            }
            Method::GradientXInput => gradient_x_input(classifier, ids, target)?,
            Method::Occlusion => occlusion(classifier, ids, target)?,
        };
        Ok(Integrated { attribution, steps: 0, jumps: 0.0 })
    }

    fn tokens(
        &self,
        text: &str,
        ids: &[u32],
        attribution: &taper_explain::Attribution,
    ) -> Result<Vec<InspectedToken>> {
        let view = self.model.config.view();
        let mut words = view.cut(&self.tokenizer.tokens(text)?).into_owned();
        if words.is_empty() {
            words.push("<unk>".into());
        }
        let token = |((token, &id), &contribution): ((String, &u32), &f64)| InspectedToken {
            token,
            id,
            known: Some(id) != view.specials.unknown,
            contribution: contribution as f32,
        };
        Ok(words.into_iter().zip(ids).zip(&attribution.tokens).map(token).collect())
    }

    fn memory(&self, batch: &TokenBatch, target: Target) -> Result<Vec<DirectionMemory>> {
        let classifier = &self.model.classifier;
        let embedded = classifier.embedding().lookup(batch.ids())?;
        let packed = PackedSequence::new(embedded, batch.packing().clone())?;
        let trace = classifier.lstm().trace(&packed, None)?;
        let norms = gradient_norms(classifier, &trace, target)?;
        let mut memory = Vec::new();
        for (layer, directions) in trace.layers.iter().enumerate() {
            for direction in 0..directions.len() {
                let steps = Steps::of(&trace, None, 0, (layer, direction))?;
                let survival = Survival::of(&trace, &steps, &norms, 0)?;
                memory.push(memory::direction_memory(&steps, &survival));
            }
        }
        Ok(memory)
    }
}

/// What to explain, and the classes that its sign speaks for and against.
fn target(probabilities: &[f32]) -> (Target, usize, usize) {
    if probabilities.len() == 2 {
        return (Target::Logit(0), 1, 0);
    }
    let best = largest(probabilities) as usize;
    let mut others = probabilities.to_vec();
    others[best] = f32::NEG_INFINITY;
    let next = largest(&others) as usize;
    (Target::Difference { of: best, from: next }, best, next)
}
