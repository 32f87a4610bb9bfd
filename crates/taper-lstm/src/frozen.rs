//! A classifier that will not be trained any more: weights packed once, in f32 or in 8 bits.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module};

use crate::classifier::{Classifier, TokenBatch};
use crate::dropout::Mode;
use crate::error::{Error, Result};
use crate::kernel::LayerShape;
use crate::kernel::cpu::{self, Frozen};
use crate::layers::{Layers, final_states, split};
use crate::packed::{PackedSequence, Packing};
use crate::pooling::Pool;

/// In which numbers a frozen classifier multiplies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quantization {
    /// As it was trained: the same logits, to the bit.
    #[default]
    F32,
    /// Recurrent weights and the inputs of all layers but the first in 8 bits, with a scale for every
    /// row of weights; hidden states, which lie in [-1, 1], in multiples of 1/127; memory in f32.
    Int8,
}

/// A classifier for inference on the CPU.
///
/// It packs its weights once instead of once a batch, and multiplies the embedding of a token that
/// occurs often in a batch only once.
#[derive(Clone)]
pub struct FrozenClassifier {
    /// `[rows, columns]`
    embedding: Arc<Vec<f32>>,
    rows: usize,
    layers: Arc<Frozen>,
    /// The last layer's sizes.
    shape: LayerShape,
    pool: Pool,
    fc: Linear,
}

impl std::fmt::Debug for FrozenClassifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FrozenClassifier")
            .field("rows", &self.rows)
            .field("shape", &self.shape)
            .field("pooling", &self.pool.pooling)
            .field("fc", &self.fc)
            .finish_non_exhaustive()
    }
}

/// Every layer's sizes, with some packing, and its weights.
fn weights_of(layers: &Layers) -> Result<Vec<(LayerShape, Vec<f32>)>> {
    let packing = Arc::new(Packing::new(&[1])?);
    (0..layers.num_layers())
        .map(|layer| {
            let (shape, weights) =
                (layers.shape(layer, &packing), layers.weights(layer, Mode::Evaluate)?);
            if !weights.device().is_cpu() || weights.dtype() != DType::F32 {
                let found = format!("{:?} on {:?}", weights.dtype(), weights.device().location());
                return Err(refusal(found));
            }
            if !cpu::takes(&shape) {
                return Err(refusal("an LSTM with a projection".into()));
            }
            Ok((shape, weights.to_vec1()?))
        })
        .collect()
}

fn refusal(found: String) -> Error {
    let expected = "F32 on the CPU, without a projection";
    Error::Config { key: "the classifier to freeze", found, expected }
}

impl FrozenClassifier {
    /// Packs the weights as they are now.
    ///
    /// # Errors
    /// If the model is not on the CPU in f32, or is to be rounded to 8 bits and has a weight that is not
    /// finite: 8 bits have no NaN to carry on.
    pub fn new(classifier: &Classifier, quantization: Quantization) -> Result<Self> {
        let embedding = classifier.embedding().weight().detach();
        let layers = weights_of(&classifier.lstm().layers)?;
        let Some((shape, _)) = layers.last().cloned() else {
            return Err(refusal("no layers".into()));
        };
        let rows = embedding.dim(0)?;
        let embedding: Vec<f32> = embedding.flatten_all()?.to_vec1()?;
        if quantization == Quantization::Int8 {
            let finite = |weights: &[f32]| weights.iter().all(|weight| weight.is_finite());
            if !finite(&embedding) || !layers.iter().all(|(_, weights)| finite(weights)) {
                return Err(Error::Config {
                    key: "the weights to round to 8 bits",
                    found: "a weight that is not finite".into(),
                    expected: "finite numbers",
                });
            }
        }
        Ok(Self {
            rows,
            embedding: Arc::new(embedding),
            layers: Arc::new(Frozen::new(&layers, quantization == Quantization::Int8)),
            shape,
            pool: classifier.pool_layer().clone(),
            fc: classifier.fc().clone(),
        })
    }

    /// Logits, `[batch, num_logits]`, in the batch's order.
    ///
    /// # Errors
    /// If an id is not below the number of the embedding's rows.
    pub fn forward(&self, batch: &TokenBatch) -> Result<Tensor> {
        let (rows, indices) = self.distinct(batch.ids())?;
        let packing = batch.packing();
        let output = self.layers.forward(packing, &rows, &indices);
        let shape = LayerShape { packing: packing.clone(), ..self.shape.clone() };
        let output = Tensor::from_vec(output, shape.output_len(), &Device::Cpu)?;
        let (sequence, h_n, c_n) = split(&shape, &output)?;
        let c_n: Vec<Tensor> = c_n.into_iter().collect();
        let state = final_states(packing, &[h_n], &c_n)?.try_into()?;
        let sequence = PackedSequence::new(sequence, packing.clone())?;
        let logits = self.fc.forward(&self.pool.forward(&sequence, &state)?)?;
        self.layers.give_back(&output)?;
        Ok(logits)
    }

    /// The embeddings of the distinct ids, `[n, columns]`, and which of them every id has.
    fn distinct(&self, ids: &[u32]) -> Result<(Vec<f32>, Vec<u32>)> {
        let columns = self.embedding.len() / self.rows;
        let (mut slots, mut values) = (HashMap::new(), Vec::new());
        let mut indices = Vec::with_capacity(ids.len());
        for &id in ids {
            if id as usize >= self.rows {
                return Err(Error::TokenId { id, rows: self.rows });
            }
            let next = slots.len() as u32;
            indices.push(*slots.entry(id).or_insert_with(|| {
                values.extend_from_slice(&self.embedding[id as usize * columns..][..columns]);
                next
            }));
        }
        Ok((values, indices))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ClassifierConfig, LstmConfig, Parameters, Pooling};

    #[test]
    fn eight_bits_take_no_nan() {
        let parameters = Parameters::new(1);
        let config = ClassifierConfig {
            vocabulary_size: 4,
            padding_id: None,
            lstm: LstmConfig::new(3, 5),
            pooling: Pooling::Last,
            num_logits: 1,
            embedding_dropout: 0.0,
            token_dropout: 0.0,
            output_dropout: 0.0,
        };
        let vb = parameters.var_builder(DType::F32, &Device::Cpu);
        let classifier = Classifier::new(&config, &vb).unwrap();
        assert!(FrozenClassifier::new(&classifier, Quantization::Int8).is_ok());
        for name in ["embedding.weight", "rnn.weight_hh_l0", "rnn.bias_ih_l0"] {
            let var = parameters.vars()[name].clone();
            let before = var.as_detached_tensor().copy().unwrap();
            var.set(&(&before * f64::NAN).unwrap()).unwrap();
            let error = FrozenClassifier::new(&classifier, Quantization::Int8).unwrap_err();
            assert!(error.to_string().contains("not finite"), "{name}: {error}");
            // In f32 it shows in the logits.
            let frozen = FrozenClassifier::new(&classifier, Quantization::F32).unwrap();
            let logits = frozen.forward(&TokenBatch::new(&[&[1, 2]]).unwrap()).unwrap();
            assert!(logits.to_vec2::<f32>().unwrap()[0][0].is_nan(), "{name}");
            var.set(&before).unwrap();
        }
    }
}
