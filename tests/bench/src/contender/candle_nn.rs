//! candle-nn's LSTM, made bidirectional by hand, on the shortest batch.
//!
//! Its graph has 26 nodes a step and is walked and dropped recursively: longer reviews overflow any
//! ordinary stack, so the work is done in a thread with a large one.

use std::time::Instant;

use anyhow::{Result, anyhow};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::rnn::{LSTM, LSTMConfig, RNN};
use candle_nn::{
    AdamW, Dropout, Embedding, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss,
};

use super::{Contender, Scope, Task};
use crate::shape::TUTORIAL;
use crate::workload::Workload;

pub(super) const NAME: &str = "candle-nn";

/// What the recursion needs; it is reserved, not used, until the recursion gets there.
const STACK: usize = 2 << 30;
const PADDING: u32 = 1;

pub(super) struct CandleNn {
    network: Network,
    adam: AdamW,
    ids: Tensor,
    labels: Tensor,
}

struct Network {
    embedding: Embedding,
    /// Forward and backward direction of every layer.
    layers: Vec<[LSTM; 2]>,
    fc: Linear,
    dropout: Dropout,
}

impl CandleNn {
    pub(super) fn new(workload: &Workload) -> Result<Self> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let network = Network::new(workload.vocabulary, &vb)?;
        let settings = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..ParamsAdamW::default() };
        let batch = &workload.batches[0];
        let padded = batch.texts.iter().flat_map(|text| {
            let padding = std::iter::repeat_n(PADDING, batch.steps() - text.len());
            text.iter().copied().chain(padding)
        });
        let shape = (batch.texts.len(), batch.steps());
        let labels: Vec<f32> = batch.labels.iter().map(|&label| label as f32).collect();
        Ok(Self {
            network,
            adam: AdamW::new(vars.all_vars(), settings)?,
            ids: Tensor::from_vec(padded.collect::<Vec<u32>>(), shape, &Device::Cpu)?,
            labels: Tensor::new(labels, &Device::Cpu)?,
        })
    }

    fn seconds(&mut self, task: Task) -> Result<f64> {
        let start = Instant::now();
        match task {
            Task::Train => {
                let logits = self.network.forward(&self.ids, true)?;
                let loss = loss::binary_cross_entropy_with_logit(&logits, &self.labels)?;
                self.adam.backward_step(&loss)?;
            }
            Task::Infer => {
                self.network.forward(&self.ids, false)?.to_vec1::<f32>()?;
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

impl Network {
    fn new(vocabulary: usize, vb: &VarBuilder) -> Result<Self> {
        let hidden = TUTORIAL.hidden_size;
        let mut layers = Vec::new();
        for layer in 0..TUTORIAL.num_layers {
            let input = if layer == 0 { TUTORIAL.input_size } else { 2 * hidden };
            let lstm = |direction: &str| {
                LSTM::new(
                    input,
                    hidden,
                    LSTMConfig::default(),
                    vb.pp(format!("{layer}{direction}")),
                )
            };
            layers.push([lstm("forward")?, lstm("backward")?]);
        }
        Ok(Self {
            embedding: candle_nn::embedding(vocabulary, TUTORIAL.input_size, vb.pp("embedding"))?,
            layers,
            fc: candle_nn::linear(2 * hidden, 1, vb.pp("fc"))?,
            dropout: Dropout::new(0.5),
        })
    }

    /// `ids`: `[batch, steps]`; result: `[batch]`
    fn forward(&self, ids: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        let mut x = self.embedding.forward(ids)?;
        let mut last = Vec::new();
        for [forward, backward] in &self.layers {
            x = self.dropout.forward(&x, train)?;
            let there = forward.seq(&x)?;
            let back = backward.seq(&x.flip(&[1])?)?;
            last = [&there, &back]
                .iter()
                .filter_map(|states| Some(states.last()?.h.clone()))
                .collect();
            let back = backward.states_to_tensor(&back)?.flip(&[1])?;
            x = Tensor::cat(&[forward.states_to_tensor(&there)?, back], D::Minus1)?;
        }
        let hidden = self.dropout.forward(&Tensor::cat(&last, D::Minus1)?, train)?;
        self.fc.forward(&hidden)?.squeeze(1)
    }
}

impl Contender for CandleNn {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> String {
        "candle-nn's LSTM::seq, padded, bidirectional by hand".to_owned()
    }

    fn scope(&self) -> Scope {
        Scope::Shortest
    }

    fn run(&mut self, task: Task, batch: usize) -> Result<Option<f64>> {
        if batch != 0 {
            return Ok(None);
        }
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let thread = thread.spawn_scoped(scope, || self.seconds(task))?;
            thread.join().map_err(|_| anyhow!("{NAME} panicked"))?.map(Some)
        })
    }
}
