//! Token ids to logits: embedding, LSTM, pooling, linear.

use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use candle_nn::{Linear, Module, VarBuilder};

use crate::config::LstmConfig;
use crate::dropout::{Dropout, Mode};
use crate::embedding::{Embedding, RowGradient};
use crate::error::{Error, Result};
use crate::layers::States;
use crate::lstm::{Lstm, LstmState};
use crate::packed::{PackedSequence, Packing};
use crate::pooling::{Pool, Pooling};
use crate::tape::{Tape, TapeGradients};

/// The streams of dropout masks before the LSTM, before the linear layer, and of whole tokens.
const EMBEDDING_STREAM: u32 = 1;
const OUTPUT_STREAM: u32 = 2;
const TOKEN_STREAM: u32 = 3;

/// The shape of a classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierConfig {
    /// Rows of the embedding.
    pub vocabulary_size: usize,
    /// The token id whose row is never trained.
    pub padding_id: Option<u32>,
    /// The LSTM; its `input_size` is the width of the embedding.
    pub lstm: LstmConfig,
    /// How the steps become one vector.
    pub pooling: Pooling,
    /// Logits: 1 for a yes or no, otherwise one a class.
    pub num_logits: usize,
    /// Probability of dropping an element of the embedded tokens, while training; with `lstm.variational` the
    /// same elements of all tokens of a sequence.
    pub embedding_dropout: f64,
    /// Probability of dropping a token's whole embedding wherever the batch has it, while training (Merity et al.
    /// 2018).
    pub token_dropout: f64,
    /// Probability of dropping an element of the pooled vector, while training.
    pub output_dropout: f64,
}

/// An LSTM text classifier with the parameters `embedding.weight`, `rnn.*` (see [`Lstm`]), with
/// [`Pooling::Attention`] `attention.hidden.weight` and `attention.score.weight`, then `fc.weight` and `fc.bias`: a PyTorch model of the same layers loads from its `state_dict`.
#[derive(Debug, Clone)]
pub struct Classifier {
    embedding: Embedding,
    lstm: Lstm,
    fc: Linear,
    pool: Pool,
    embedding_dropout: Dropout,
    token_dropout: Dropout,
    output_dropout: Dropout,
}

/// Token ids of a batch, packed.
#[derive(Debug, Clone)]
pub struct TokenBatch {
    ids: Vec<u32>,
    packing: Arc<Packing>,
}

impl TokenBatch {
    /// Packs the token ids of every sequence of a batch.
    ///
    /// # Errors
    /// If there is no sequence, or an empty one.
    pub fn new(sequences: &[&[u32]]) -> Result<Self> {
        let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.len()).collect();
        let packing = Packing::new(&lengths)?;
        Ok(Self { ids: packing.pack(sequences)?, packing: Arc::new(packing) })
    }

    /// How the ids lie.
    pub fn packing(&self) -> &Arc<Packing> {
        &self.packing
    }

    /// The ids in the packed order.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
}

/// The logits of a training batch, and the way back from them.
#[derive(Debug)]
pub struct TrainingOutput {
    /// `[batch, num_logits]`, in the batch's order. Their graph ends at the pooled vector: a loss made of
    /// them goes back through [`Self::backward`].
    pub logits: Tensor,
    tape: Tape,
    /// What the LSTM read.
    embedded: Tensor,
    /// What pooling read, as leaves of the logits' graph.
    output: Option<Var>,
    state: LstmState,
    classifier: Classifier,
    mode: Mode,
    batch: TokenBatch,
}

/// The gradients of a loss.
#[derive(Debug)]
pub struct ClassifierGradients {
    /// Of every parameter but the embedding.
    pub parameters: GradStore,
    /// Of the embedding: the rows of the batch.
    pub embedding: RowGradient,
}

impl TrainingOutput {
    /// The gradients of `loss`, a scalar made of [`Self::logits`].
    ///
    /// # Errors
    /// If `loss` is not a scalar, or an operation on the way back fails.
    pub fn backward(self, loss: &Tensor) -> Result<ClassifierGradients> {
        let mut store = loss.backward()?;
        let output = self.output.and_then(|output| store.remove(&output));
        let states = match store.remove(&self.state.h) {
            Some(h) => Some(States { h, c: Some(self.state.c.zeros_like()?) }),
            None => None,
        };
        let TapeGradients { input, parameters } =
            self.tape.backward(&self.classifier.lstm.layers, output, states.as_ref())?;
        for (parameter, gradient) in parameters {
            store.insert(&parameter, gradient);
        }
        let TrainingOutput { classifier, batch, mode, embedded, .. } = self;
        let layers = &classifier.lstm.layers;
        let kept = layers.drop(classifier.embedding_dropout, &input, &batch.packing, mode)?;
        let rows = classifier.token_dropout.forward_rows(&kept, &batch.ids, mode)?;
        let embedding = classifier.embedding.row_gradient(&batch.ids, &rows)?;
        for tensor in [embedded, input, kept] {
            layers.give_back(&tensor)?;
        }
        Ok(ClassifierGradients { parameters: store, embedding })
    }
}

impl Classifier {
    /// Builds the model; parameters are taken from `vb`, or drawn as PyTorch does.
    pub fn new(config: &ClassifierConfig, vb: &VarBuilder) -> Result<Self> {
        let lstm = Lstm::new(&config.lstm, &vb.pp("rnn"))?;
        for (key, size) in
            [("vocabulary_size", config.vocabulary_size), ("num_logits", config.num_logits)]
        {
            if size == 0 {
                return Err(Error::Config { key, found: "0".into(), expected: "at least 1" });
            }
        }
        Ok(Self {
            embedding: Embedding::new(
                config.vocabulary_size,
                config.lstm.input_size,
                config.padding_id,
                &vb.pp("embedding"),
            )?,
            fc: linear(
                config.pooling.output_size(config.lstm.output_size()),
                config.num_logits,
                &vb.pp("fc"),
            )?,
            pool: Pool::new(
                config.pooling,
                config.lstm.output_size(),
                config.lstm.hidden_size,
                &vb.pp("attention"),
            )?,
            lstm,
            embedding_dropout: Dropout::new(config.embedding_dropout, EMBEDDING_STREAM)?,
            token_dropout: Dropout::new(config.token_dropout, TOKEN_STREAM)?,
            output_dropout: Dropout::new(config.output_dropout, OUTPUT_STREAM)?,
        })
    }

    /// The embedding.
    pub fn embedding(&self) -> &Embedding {
        &self.embedding
    }

    /// The recurrent layers.
    pub fn lstm(&self) -> &Lstm {
        &self.lstm
    }

    /// How the steps become one vector.
    pub fn pooling(&self) -> Pooling {
        self.pool.pooling
    }

    /// Pools what the recurrent layers gave: `[batch, features]`, which [`Self::fc`] reads, in the batch's order.
    ///
    /// # Shapes
    /// `output.data()`: `[total, directions * h_size]`; `state`: as [`Lstm::forward`] gives it
    pub fn pool(&self, output: &PackedSequence, state: &LstmState) -> Result<Tensor> {
        self.pool.forward(output, state)
    }

    /// The pooling, with its parameters.
    pub(crate) fn pool_layer(&self) -> &Pool {
        &self.pool
    }

    /// The last, linear layer.
    pub fn fc(&self) -> &Linear {
        &self.fc
    }

    /// Logits without dropout and without a graph: `[batch, num_logits]`, in the batch's order.
    pub fn forward(&self, batch: &TokenBatch) -> Result<Tensor> {
        let embedded = self.embedding.lookup(&batch.ids)?;
        let packed = PackedSequence::new(embedded, batch.packing.clone())?;
        let (output, state) = self.lstm.forward(&packed, None, Mode::Evaluate)?;
        Ok(self.head(&output, &state, Mode::Evaluate)?.detach())
    }

    /// Logits of embedded tokens, without dropout and with a graph: a [`Var`] of `embedded`'s data gets its
    /// gradient, one row a token of the batch, from the logits' `backward`.
    ///
    /// Equal to [`Self::forward`] where the rows are those of the tokens; between tokens, or from
    /// elsewhere, they ask what the network would say of an input that no text has.
    ///
    /// # Shapes
    /// `embedded`: `[total, input_size]`; result: `[batch, num_logits]`, in the batch's order
    ///
    /// # Errors
    /// If the rows do not have the LSTM's `input_size`.
    pub fn forward_embedded(&self, embedded: &PackedSequence) -> Result<Tensor> {
        let mode = Mode::Differentiate;
        let (output, state) = self.lstm.forward(embedded, None, mode)?;
        self.head(&output, &state, mode)
    }

    /// Logits for training, with the dropout masks of (`seed`, `step`).
    pub fn forward_train(
        &self,
        batch: &TokenBatch,
        seed: u64,
        step: u32,
    ) -> Result<TrainingOutput> {
        let mode = Mode::Train { seed, step };
        let embedded = self.embedding.lookup(&batch.ids)?;
        let embedded = self.drop_input(&embedded, batch, mode)?;
        let packed = PackedSequence::new(embedded, batch.packing.clone())?;
        let (output, states, tape) = self.lstm.layers.record(&packed, mode)?;
        let LstmState { h, c } = states.try_into()?;
        let state = LstmState { h: leaf(&h)?.into_inner(), c };
        let leaf = if self.pool.pooling.reads_output() { Some(leaf(output.data())?) } else { None };
        let output = match &leaf {
            Some(leaf) => output.with_data(leaf.as_tensor().clone())?,
            None => output,
        };
        Ok(TrainingOutput {
            logits: self.head(&output, &state, mode)?,
            tape,
            embedded: packed.data().clone(),
            output: leaf,
            state,
            classifier: self.clone(),
            mode,
            batch: batch.clone(),
        })
    }

    /// What reaches the LSTM of the embedded tokens.
    fn drop_input(&self, embedded: &Tensor, batch: &TokenBatch, mode: Mode) -> Result<Tensor> {
        let kept = self.token_dropout.forward_rows(embedded, &batch.ids, mode)?;
        self.lstm.layers.drop(self.embedding_dropout, &kept, &batch.packing, mode)
    }

    /// What stands above the recurrent layers.
    fn head(&self, output: &PackedSequence, state: &LstmState, mode: Mode) -> Result<Tensor> {
        let pooled = self.pool.forward(output, state)?;
        let pooled = self.output_dropout.forward(&pooled, mode)?;
        Ok(self.fc.forward(&pooled)?)
    }
}

/// A copy that gradients are collected for.
fn leaf(tensor: &Tensor) -> Result<Var> {
    Ok(Var::from_tensor(&tensor.detach())?)
}

/// PyTorch's `nn.Linear`: weight and bias uniform within `1 / sqrt(inputs)`.
fn linear(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Linear> {
    let init = crate::cell::uniform(inputs);
    let weight = vb.get_with_hints((outputs, inputs), "weight", init)?;
    let bias = vb.get_with_hints(outputs, "bias", init)?;
    Ok(Linear::new(weight, Some(bias)))
}

#[cfg(test)]
mod tests;
