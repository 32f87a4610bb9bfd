//! The table `[model]`: the network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[model]`: embedding -> LSTM -> pooling -> linear -> logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// Width of the hidden state of each direction.
    #[schemars(range(min = 1, max = 65_536))]
    pub hidden_size: usize,
    /// LSTM layers on top of each other.
    #[schemars(range(min = 1, max = 64))]
    pub num_layers: usize,
    /// Reads each text from both ends.
    pub bidirectional: bool,
    /// How the hidden states of a text become one vector.
    pub pooling: Pooling,
    /// Whether padding reaches the network.
    pub padding: Padding,
    /// Shares of values dropped in training.
    pub dropout: Dropout,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            hidden_size: 128,
            num_layers: 1,
            bidirectional: true,
            pooling: Pooling::Concat,
            padding: Padding::Mask,
            dropout: Dropout::default(),
        }
    }
}

impl Model {
    /// Most parameters of a network: 4 GiB in f32, and training takes as much again for gradients and moments each.
    pub const MAX_PARAMETERS: u64 = 1 << 30;

    /// Parameters of the layers between the embedding, of this width, and the linear layer.
    pub(crate) fn parameters_of_layers(&self, dimensions: u64) -> u64 {
        let directions = if self.bidirectional { 2 } else { 1 };
        let (hidden, layers) = (self.hidden_size as u64, self.num_layers as u64);
        // Four gates, each of the input, of the hidden state, and of two biases.
        let layer = |inputs: u64| {
            let columns = inputs.saturating_add(hidden).saturating_add(2);
            columns.saturating_mul(4 * directions).saturating_mul(hidden)
        };
        let features = hidden.saturating_mul(directions);
        let attention = match self.pooling {
            Pooling::Attention => features.saturating_add(1).saturating_mul(hidden),
            _ => 0,
        };
        let upper = layer(features).saturating_mul(layers.saturating_sub(1));
        layer(dimensions).saturating_add(upper).saturating_add(attention)
    }

    /// Features of the vector that the linear layer reads.
    pub(crate) fn pooled_size(&self) -> u64 {
        let directions = if self.bidirectional { 2 } else { 1 };
        let parts = if self.pooling == Pooling::Concat { 3 } else { 1 };
        (self.hidden_size as u64).saturating_mul(directions * parts)
    }
}

/// How the hidden states of a text become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The last layer's final hidden state of each direction, side by side.
    Last,
    /// The greatest value of each feature over the tokens.
    Max,
    /// The mean of each feature over the tokens.
    Mean,
    /// `last`, `max` and `mean` side by side.
    Concat,
    /// A mean in which each token has a learned weight.
    Attention,
}

/// Whether padding reaches the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Never: the final state is that of the last real token.
    Mask,
    /// As the tutorial has it: every text is padded to the longest of its batch, and the LSTM reads the padding.
    Tutorial,
}

/// `model.dropout`: shares of values dropped in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dropout {
    /// Of the embedded tokens.
    #[schemars(extend("minimum" = 0.0, "maximum" = 0.999))]
    pub embedding: f64,
    /// Between LSTM layers; of no effect with one layer.
    #[schemars(extend("minimum" = 0.0, "maximum" = 0.999))]
    pub between_layers: f64,
    /// Of the pooled vector, before the linear layer.
    #[schemars(extend("minimum" = 0.0, "maximum" = 0.999))]
    pub output: f64,
    /// Of the tokens, which are then read as the unknown word.
    #[schemars(extend("minimum" = 0.0, "maximum" = 0.999))]
    pub word: f64,
    /// Of the vocabulary: a word's embedding is dropped whole, wherever the batch has it (Merity et al. 2018).
    #[schemars(extend("minimum" = 0.0, "maximum" = 0.999))]
    pub vocabulary: f64,
    /// Of the weights between hidden states, for a step (`DropConnect`, as in Merity et al. 2018).
    #[schemars(extend("minimum" = 0.0, "maximum" = 0.999))]
    pub weight: f64,
    /// `embedding` and `between_layers` drop the same features at all tokens of a text (Gal and Ghahramani 2016).
    pub variational: bool,
}

impl Default for Dropout {
    fn default() -> Self {
        Self {
            embedding: 0.5,
            between_layers: 0.5,
            output: 0.5,
            word: 0.0,
            vocabulary: 0.0,
            weight: 0.0,
            variational: false,
        }
    }
}
