//! The rival: burn on the tutorial model, a process that answers with times.
//!
//! `cargo xtask bench lstm --peers burn` builds and starts it and asks for one batch at a time. The file it is given and the
//! lines are those of `pytorch_lstm.py`; the one mode is `padded`. The backend is burn's own for the CPU, `flex`, with
//! AVX-512 where there is some; rayon has as many threads as RAYON_NUM_THREADS says.

use std::io::{BufRead, stdin};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::nn::loss::BinaryCrossEntropyLossConfig;
use burn::nn::{
    BiLstm, BiLstmConfig, Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear, LinearConfig,
};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::Deserialize;
use serde_json::json;

const PADDING: u32 = 1;
const EMBEDDING: usize = 100;
const HIDDEN: usize = 256;

#[derive(Deserialize)]
struct Workload {
    vocabulary: usize,
    batches: Vec<Batch>,
}

#[derive(Deserialize)]
struct Batch {
    texts: Vec<Vec<u32>>,
    labels: Vec<u32>,
}

#[derive(Module, Debug)]
struct Classifier {
    embedding: Embedding,
    layers: Vec<BiLstm>,
    fc: Linear,
    dropout: Dropout,
}

impl Classifier {
    fn new(vocabulary: usize, device: &Device) -> Self {
        let layer = |input| BiLstmConfig::new(input, HIDDEN, true).init(device);
        Self {
            embedding: EmbeddingConfig::new(vocabulary, EMBEDDING).init(device),
            layers: vec![layer(EMBEDDING), layer(2 * HIDDEN)],
            fc: LinearConfig::new(2 * HIDDEN, 1).init(device),
            dropout: DropoutConfig::new(0.5).init(),
        }
    }

    /// `ids`: `[batch, steps]`; result: `[batch]`
    fn forward(&self, ids: Tensor<2, Int>) -> Tensor<1> {
        let mut x = self.embedding.forward(ids);
        let mut last = None;
        for layer in &self.layers {
            let (states, end) = layer.forward(self.dropout.forward(x), None);
            (x, last) = (states, Some(end.hidden));
        }
        let last = last.expect("there are layers");
        let [_, batch, _] = last.dims();
        let last = last.swap_dims(0, 1).reshape([batch, 2 * HIDDEN]);
        self.fc.forward(self.dropout.forward(last)).squeeze_dim(1)
    }
}

struct Rival {
    model: Option<Classifier>,
    adam: ModuleOptimizer,
    device: Device,
}

impl Rival {
    fn train(&mut self, batch: &Batch) -> Result<()> {
        let model = self.model.take().context("a step before failed")?;
        let labels = Tensor::<1, Int>::from_data(batch.labels.as_slice(), &self.device);
        let logits = model.forward(padded(batch, &self.device));
        let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&self.device);
        let gradients = loss.forward(logits, labels).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        self.model = Some(self.adam.step(1e-3, model, gradients));
        Ok(())
    }

    fn infer(&self, batch: &Batch) -> Result<()> {
        let model = self.model.as_ref().context("a step before failed")?.valid();
        model.forward(padded(batch, &self.device.clone().inner())).into_data();
        Ok(())
    }
}

fn padded(batch: &Batch, device: &Device) -> Tensor<2, Int> {
    let steps = batch.texts.iter().map(Vec::len).max().unwrap_or(0);
    let ids = batch.texts.iter().flat_map(|text| {
        text.iter().copied().chain(std::iter::repeat_n(PADDING, steps - text.len()))
    });
    let ids = TensorData::new(ids.collect::<Vec<u32>>(), [batch.texts.len(), steps]);
    Tensor::from_data(ids, device)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["--batches", batches] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        bail!("expected --batches FILE");
    };
    let workload: Workload = serde_json::from_slice(&std::fs::read(batches)?)?;
    let device = Device::flex().autodiff();
    let model = Some(Classifier::new(workload.vocabulary, &device));
    let mut rival = Rival { model, adam: AdamConfig::new().with_epsilon(1e-8).init(), device };
    println!("{}", json!({ "burn": env!("CARGO_PKG_VERSION") }));
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["padded", task @ ("train" | "infer"), number] = words.as_slice() else {
            bail!("`{line}` is no task");
        };
        let batch = &workload.batches[number.parse::<usize>()?];
        let start = Instant::now();
        if *task == "train" {
            rival.train(batch)?
        } else {
            rival.infer(batch)?
        }
        println!("{}", json!({ "seconds": start.elapsed().as_secs_f64() }));
    }
    Ok(())
}
