//! A trained model that only answers: frozen on the CPU, as it is elsewhere.

use candle_core::Tensor;
use taper_lstm::{Classifier, FrozenClassifier, Quantization, TokenBatch};

use crate::Result;
use crate::batch::View;
use crate::model::Model;

/// Token ids to logits, with the weights a model had when this was made.
#[derive(Debug, Clone)]
pub struct Inference {
    view: View,
    threshold: Option<f64>,
    classifier: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Frozen(FrozenClassifier),
    AsTrained(Classifier),
}

impl Inference {
    /// Whether it runs on the CPU, where batches may be read side by side.
    pub(crate) fn is_frozen(&self) -> bool {
        matches!(self.classifier, Kind::Frozen(_))
    }

    /// Takes the model's weights. In f32 the logits are those of the model, to the bit.
    ///
    /// # Errors
    /// If 8 bits are asked for on another device than the CPU.
    pub fn new(model: &Model, quantization: Quantization) -> Result<Self> {
        let classifier = &model.classifier;
        let on_cpu = classifier.embedding().weight().device().is_cpu();
        let classifier = if on_cpu || quantization != Quantization::F32 {
            Kind::Frozen(FrozenClassifier::new(classifier, quantization)?)
        } else {
            Kind::AsTrained(classifier.clone())
        };
        Ok(Self { view: model.config.view(), threshold: model.config.threshold, classifier })
    }

    /// The least probability of a label that a text has, where it may have several.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// What the model reads of a text.
    pub fn view(&self) -> View {
        self.view
    }

    /// Logits, `[batch, num_logits]`, in the batch's order.
    pub fn logits(&self, batch: &TokenBatch) -> Result<Tensor> {
        Ok(match &self.classifier {
            Kind::Frozen(classifier) => classifier.forward(batch)?,
            Kind::AsTrained(classifier) => classifier.forward(batch)?,
        })
    }
}
